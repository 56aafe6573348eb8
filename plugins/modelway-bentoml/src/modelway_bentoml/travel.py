"""The code that travels with a model: the files that its components reach by import, inside their own packages."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modelway import ConfigError, ScoringModel

#: Where the service starts from.
SERVICE = ("modelway_bentoml.serving.service", "modelway_bentoml.probe")


def components_of(model: ScoringModel) -> list[tuple[str, Any]]:
    """Return the components of a model with what each is in it, for messages."""
    found = [("The trainer", model.trainer)]
    found += [(f"The preparer '{label}'", preparer) for label, preparer in model.preparers]
    return found + [(f"The feature '{transform.label}'", transform.feature) for transform in model.transforms]


def allowed(model: ScoringModel) -> dict[str, str]:
    """Return the allow-list of a model's components: ``stage/name`` to ``module:class``.

    Raises:
        ConfigError: a class that cannot be found again by its name.
    """
    found = {}
    for what, component in components_of(model):
        cls = type(component)
        module = sys.modules.get(cls.__module__)
        if cls.__module__ == "__main__" or getattr(module, cls.__qualname__, None) is not cls:
            raise ConfigError(
                f"{what} cannot travel: {cls.__module__}.{cls.__qualname__} is not a name that its module holds",
                mend="Define it at the top of a plugin's module, or of the project's plugin.py",
            )
        found[f"{cls.stage}/{cls.name}"] = f"{cls.__module__}:{cls.__qualname__}"
    return dict(sorted(found.items()))


def code_of(model: ScoringModel) -> dict[str, Path]:
    """Return the files that travel, by their place in ``lib/``.

    Raises:
        ConfigError: code that is not a Python file.
    """
    classes = [type(component) for _, component in components_of(model)]
    roots = [cls.__module__ for cls in (*classes, type(model.model))]
    found = closure([*SERVICE, "modelway", *roots])
    for cls in classes:
        folder = Path(str(sys.modules[cls.__module__].__file__)).parent
        place = "/".join(cls.__module__.split(".")[:-1])
        for name in cls.data_files:
            found[f"{place}/{name}".lstrip("/")] = folder / name
    return dict(sorted(found.items()))


def closure(roots: Iterable[str]) -> dict[str, Path]:
    """Return the import closure of some modules inside their own packages and Modelway's, by place in ``lib/``.

    Imports for type checkers only, and names that a package fetches on demand (``__getattr__``), are left out.

    Raises:
        ConfigError: a module that is not a Python file.
    """
    roots = list(roots)
    tops = {name.partition(".")[0] for name in roots}
    files: dict[str, Path] = {}
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file(name)
        if path is None:  # a name inside a module
            continue
        if path.suffix != ".py":
            raise ConfigError(f"The module '{name}' cannot travel: it is not a Python file", where=str(path))
        package = path.name == "__init__.py"
        files[name.replace(".", "/") + ("/__init__.py" if package else ".py")] = path
        if "." in name:
            todo.append(name.rpartition(".")[0])
        base = name if package else name.rpartition(".")[0]
        for other in _imports(ast.parse(path.read_bytes()), base):
            top = other.partition(".")[0]
            if top in tops or top == "modelway" or top.startswith("modelway_"):
                todo.append(other)
    return files


def _file(name: str) -> Path | None:
    top, *rest = name.split(".")
    module = sys.modules.get(top)
    if module is None:
        import importlib

        module = importlib.import_module(top)
    if not rest and not hasattr(module, "__path__"):
        return Path(str(module.__file__))
    for folder in getattr(module, "__path__", ()):
        place = Path(folder, *rest)
        options = [place / "__init__.py", *([place.with_name(f"{place.name}.py")] if rest else [])]
        if rest and place.parent.is_dir():
            options += [path for path in place.parent.glob(f"{place.name}.*") if path.suffix in (".so", ".pyd")]
        for option in options:
            if option.is_file():
                return option
    return None


def _imports(tree: ast.AST, base: str) -> Iterator[str]:
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = base.split(".")[: len(base.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        todo += ast.iter_child_nodes(node)


def copy(files: Mapping[str, Path], lib: Path) -> None:
    """Copy files to their places in ``lib``."""
    for place, path in files.items():
        target = lib / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
