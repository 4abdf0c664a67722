"""The user's own functions, named in a sweep as ``package.module:function``."""

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from study import sources
from study.errors import InputError


def is_reference(name: str) -> bool:
    """Return whether `name` is meant as the user's own function and not as one of ours."""
    return ":" in name


def resolve(name: str) -> Callable[..., Any]:
    """Import the function that `name` refers to; for the process that trains alone.

    The module is found as Python finds it, and last in the current directory, which is added to the end of
    ``sys.path`` for that.

    Parameters
    ----------
    name : str
        ``package.module:function``.

    Raises
    ------
    InputError
        If the name has another form, the module is not found or fails to import, or the function is
        missing or cannot be called.
    """
    module_name, attribute = _parts(name)
    module = _module(name, module_name)
    if not hasattr(module, attribute):
        raise sources.missing_function(name, list(vars(module)), getattr(module, "__file__", module))
    function = getattr(module, attribute)
    if not callable(function):
        raise sources.no_function(name, function)
    return function


def source_digest(name: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the source files behind `name`.

    Nothing is imported, see `study.sources.files_of`. Other files whose code the function calls are not
    in the digest.

    Raises
    ------
    InputError
        If the name has another form, or its source is not found; what only the import of the module tells,
        `resolve` says.
    """
    parts = _parts(name)
    _look_here_too()
    digest = hashlib.sha256()
    for path in sources.files_of(name, *parts):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _parts(name: str) -> tuple[str, str]:
    module_name, colon, attribute = name.strip().partition(":")
    if not (colon and attribute.isidentifier() and all(p.isidentifier() for p in module_name.split("."))):
        raise InputError(
            f"A function of your own is written 'package.module:function', such as 'my_activations:wavy', "
            f"but '{name}' was given."
        )
    return module_name, attribute


def _look_here_too() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def _module(name: str, module_name: str) -> ModuleType:
    _look_here_too()
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name == missing or module_name.startswith(f"{missing}.")):
            raise sources.missing_module(name, missing) from None
        raise sources.failed_import(name, module_name, error) from error
