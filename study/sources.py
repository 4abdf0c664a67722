"""The source files behind a user's own function, found by reading: nothing of the user's is imported.

The driver reads; the process that trains imports, and says what reading cannot see.
"""

import ast
import difflib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from study.errors import InputError, said


def files_of(name: str, module_name: str, attribute: str) -> list[Path]:
    """Return the source files that say what ``module_name:attribute`` is, that of the module first.

    Where the module has the function, its decorator or what it is made of from another module, as in
    ``from inner import wavy`` or ``bent = partial(inner.wavy, 2)``, the file of that one follows.

    Parameters
    ----------
    name : str
        The reference as it was given, for messages.
    module_name, attribute : str
        Its parts.

    Raises
    ------
    InputError
        If the module is not found or comes from something else than Python source, if the name is not bound
        in it in so many words (a ``def``, an assignment, an import), or if it is bound to a plain value.
        Whether it can be called is for the process that imports it.
    """
    search = _Search(name)
    if not search.follow(module_name, (attribute,), direct=True):
        path = next(iter(search.files))
        tree = ast.parse(path.read_bytes())
        names = {each for statement in _statements(tree.body) for each in _bound(statement)}
        raise missing_function(name, sorted(names), path)
    return list(search.files)


def missing_module(name: str, module_name: str) -> InputError:
    """Return what is said of a module that is not found."""
    return InputError(
        f"'{name}': there is no module '{module_name}'; it is looked for where Python looks and in the "
        f"current directory {Path.cwd()}, so start there or set PYTHONPATH."
    )


def failed_import(name: str, module_name: str, error: BaseException) -> InputError:
    """Return what is said of a module that cannot be imported."""
    return InputError(
        f"'{name}': importing '{module_name}' raised {type(error).__name__}: {said(error)}; "
        "the module must import without an error."
    )


def missing_function(name: str, names: Sequence[str], place: object) -> InputError:
    """Return what is said where a module that binds `names` has no such function."""
    module_name, _, attribute = name.strip().partition(":")
    near = difflib.get_close_matches(attribute, [each for each in names if not each.startswith("_")], n=1)
    hint = (
        f"did you mean '{module_name}:{near[0]}'?"
        if near
        else f"it is looked for in {place}, as a def, an import or an assignment."
    )
    return InputError(f"'{name}': the module '{module_name}' has no function '{attribute}'; {hint}")


def no_function(name: str, value: object) -> InputError:
    """Return what is said where the name is bound to something else than a function."""
    return InputError(
        f"'{name}' must be a function, but it is of type {type(value).__name__}; name a function."
    )


class _Search:
    """Follows a name from module to module.

    Parameters
    ----------
    name : str
        The reference, for messages.
    """

    def __init__(self, name: str) -> None:
        self.files: dict[Path, None] = {}
        self._name = name
        self._seen: set[tuple[str, tuple[str, ...]]] = set()

    def follow(self, module_name: str, attributes: tuple[str, ...], *, direct: bool) -> bool:
        """Add the files behind ``module_name.attributes``; `direct` where that is the function itself.

        Returns
        -------
        bool
            Whether the first of the attributes is bound in the module.
        """
        if (module_name, attributes) in self._seen:
            return False
        self._seen.add((module_name, attributes))
        first = not self.files
        spec = _spec(module_name)
        if isinstance(spec, str):
            if first:
                raise missing_module(self._name, spec)
            return False
        path = Path(spec.origin) if spec.origin and spec.has_location else None
        if path is None or path.suffix != ".py" or not path.is_file():
            if direct:
                raise InputError(
                    f"'{self._name}' must come from a Python source file, so that a change of it is noticed, "
                    f"but it comes from {path or 'a built-in module'}; wrap it in a function of your own."
                )
            return False
        self.files[path] = None
        if not attributes:
            return True
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as error:
            raise failed_import(self._name, module_name, error) from error
        statements = list(_statements(tree.body))
        binding = [each for each in statements if attributes[0] in _bound(each)]
        if first:
            self._refuse_value(binding)
        for statement in binding:
            self._follow_binding(spec, statement, attributes, direct=direct)
        if binding:
            return True
        inner = f"{module_name}.{attributes[0]}"
        if not isinstance(_spec(inner), str):
            return self.follow(inner, attributes[1:], direct=direct)
        stars = [
            each for each in statements if isinstance(each, ast.ImportFrom) and each.names[0].name == "*"
        ]
        return any([self.follow(_absolute(spec, star), attributes, direct=False) for star in stars])

    def _follow_binding(
        self, spec: ModuleSpec, statement: ast.AST, attributes: tuple[str, ...], *, direct: bool
    ) -> None:
        name, rest = attributes[0], attributes[1:]
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    self.follow(alias.name if alias.asname else name, rest, direct=direct)
        elif isinstance(statement, ast.ImportFrom):
            module_name = _absolute(spec, statement)
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    inner = f"{module_name}.{alias.name}"
                    is_module = not isinstance(_spec(inner), str)
                    parts = (inner, rest) if is_module else (module_name, (alias.name, *rest))
                    self.follow(*parts, direct=direct)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for expression in (*statement.decorator_list, *getattr(statement, "bases", ())):
                self._follow_expression(spec, expression, direct=False)
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) and statement.value:
            self._follow_expression(spec, statement.value, direct=direct)

    def _follow_expression(self, spec: ModuleSpec, expression: ast.AST, *, direct: bool) -> None:
        for attributes in _mentioned(expression):
            self.follow(spec.name, attributes, direct=direct and _dotted(expression) is not None)

    def _refuse_value(self, binding: list[ast.AST]) -> None:
        """Refuse a name that is bound to a number, a text or the like, and to nothing else."""
        if len(binding) == 1 and isinstance(binding[0], ast.Assign):
            try:
                value = ast.literal_eval(binding[0].value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return
            raise no_function(self._name, value)


def _spec(module_name: str) -> ModuleSpec | str:
    """Return how a module would be imported, or the name of the first package or module that is not there.

    ``importlib.util.find_spec`` would import the packages around the module.
    """
    parts, path = module_name.split("."), None
    spec = None
    for end in range(1, len(parts) + 1):
        wanted = ".".join(parts[:end])
        tried = (finder.find_spec(wanted, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((each for each in tried if each is not None), None)
        if spec is None:
            return wanted
        path = spec.submodule_search_locations or []
    assert spec is not None
    return spec


def _absolute(spec: ModuleSpec, statement: ast.ImportFrom) -> str:
    """Return the module that a ``from ... import`` in the module of `spec` names."""
    package = spec.name if spec.submodule_search_locations is not None else spec.parent
    relative = "." * statement.level + (statement.module or "")
    try:
        return importlib.util.resolve_name(relative, package)
    except ImportError:  # beyond the topmost package: the import will say so
        return relative.strip(".") or spec.name


def _statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements that run when the module is imported, those within an if or a try too."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _statements(getattr(statement, part, ()))


def _bound(statement: ast.AST) -> set[str]:
    """Return the names that a statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in stored if isinstance(node.ctx, ast.Store)}


def _dotted(node: ast.AST) -> tuple[str, ...] | None:
    """Return ``a.b.c`` as its parts; None for another expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return (*before, node.attr)
    return None


def _mentioned(expression: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names in an expression; what a lambda calls is as little looked at as with a def."""
    if (parts := _dotted(expression)) is not None:
        yield parts
    elif not isinstance(expression, ast.Lambda):
        for child in ast.iter_child_nodes(expression):
            yield from _mentioned(child)
