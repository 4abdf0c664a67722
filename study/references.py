"""The user's own functions, named in a sweep as ``package.module:function``."""

import difflib
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from study.errors import InputError


def is_reference(name: str) -> bool:
    """Return whether `name` is meant as the user's own function and not as one of ours."""
    return ":" in name


def resolve(name: str) -> Callable[..., Any]:
    """Import the function that `name` refers to.

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
        near = difflib.get_close_matches(attribute, [n for n in vars(module) if not n.startswith("_")], n=1)
        hint = f"did you mean '{module_name}:{near[0]}'?" if near else f"it is looked for in {_file(module)}."
        raise InputError(f"'{name}': the module '{module_name}' has no function '{attribute}'; {hint}")
    function = getattr(module, attribute)
    if not callable(function):
        raise InputError(
            f"'{name}' must be a function, but it is of type {type(function).__name__}; name a function."
        )
    return function


def source_digest(name: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the source file behind `name`.

    Where the module only re-exports the function, the file that defines it is added to the digest. Other
    files that the function imports are not.

    Raises
    ------
    InputError
        As `resolve`, and if the module has no source file.
    """
    function = resolve(name)
    module = sys.modules[_parts(name)[0]]
    paths = [_file(module)]
    definition = inspect.getmodule(inspect.unwrap(function))
    if definition is not None and definition is not module:
        paths.append(_file(definition))
    digest = hashlib.sha256()
    for path in paths:
        if path is None or path.suffix != ".py" or not path.is_file():
            raise InputError(
                f"'{name}' must come from a Python source file, so that a change of it is noticed, but it "
                f"comes from {path or 'a built-in module'}; wrap it in a function of your own."
            )
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


def _module(name: str, module_name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name == missing or module_name.startswith(f"{missing}.")):
            raise InputError(
                f"'{name}': there is no module '{missing}'; it is looked for where Python looks and in the "
                f"current directory {here}, so start there or set PYTHONPATH."
            ) from None
        raise InputError(
            f"'{name}': importing '{module_name}' raised {type(error).__name__}: {error}; "
            f"the module must import without an error."
        ) from error


def _file(module: ModuleType) -> Path | None:
    path = getattr(module, "__file__", None)
    return None if path is None else Path(path)
