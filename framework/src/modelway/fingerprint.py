"""Fingerprints: canonical hashes of what a step's result depends on.

Code is hashed in a normal form of our own: the tokens without comments, docstrings and layout, so that reformatting or
explaining code computes nothing anew, and so that every Python minor sees the same form. What is hashed is the import
closure of a component inside its own package, plus the data files that it declares.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import json
import os
import sys
import time
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modelway.component import Component
from modelway.values.artifact import dumps

#: Changes when what a fingerprint covers changes.
SCHEMA = 1


def digest(value: Any) -> str:
    """Return the SHA-256 of a plain JSON value in canonical form."""
    return hashlib.sha256(dumps(value)).hexdigest()


class StatCache:
    """What was computed from a file, remembered while its size, time and inode stay the same.

    A file that changed within the last two seconds is never remembered: a second change might not show in its time.

    Args:
        path: JSON file to remember in; None forgets when the process ends.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self._changed = path, False
        self._held: dict[str, Any] | None = None
        self._closures: dict[type[Component], dict[str, str]] = {}
        self._known: dict[str, list[Any]] = {}
        if path is not None:
            try:
                self._known = json.loads(path.read_bytes())
            except (OSError, ValueError):
                self._known = {}

    def get(self, what: str, path: Path, compute: Callable[[Path], Any]) -> Any:
        """Return ``compute(path)``, or what it returned when the file was last like this."""
        key = f"{what}:{path}"
        if self._held is not None and what == "code":
            if key not in self._held:
                self._held[key] = self._current(key, path, compute)
            return self._held[key]
        return self._current(key, path, compute)

    def _current(self, key: str, path: Path, compute: Callable[[Path], Any]) -> Any:
        stat = path.stat()
        state = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        known = self._known.get(key)
        if known is not None and known[0] == state:
            return known[1]
        value = compute(path)
        if time.time_ns() - stat.st_mtime_ns > 2_000_000_000:
            self._known[key], self._changed = [state, value], True
        return value

    def hold(self, components: Iterable[type[Component]]) -> None:
        """Take the code of components as it is now for good: it is loaded, whatever becomes of the files."""
        self._held, self._closures = {}, {}
        for component in components:
            code(component, self)

    def held(self, component: type[Component]) -> dict[str, str] | None:
        """Return the code of a component where it is taken for good."""
        return self._closures.get(component)

    def hold_code(self, component: type[Component], found: dict[str, str]) -> dict[str, str]:
        """Take a component's code for good where that is what the cache does now."""
        if self._held is not None:
            self._closures[component] = found
        return found

    def save(self, write: Callable[[Path, bytes], None]) -> None:
        """Write what is new through ``write(path, data)``."""
        if self._changed and self.path is not None:
            self._changed = False
            write(self.path, json.dumps(dict(self._known)).encode())  # a copy: other threads go on


def normal_form(source: str, tree: ast.AST | None = None) -> str:
    """Return Python source without comments, docstrings and layout.

    Args:
        source: The source.
        tree: What it parses to, where somebody has parsed it already.

    Raises:
        SyntaxError: the source does not parse.
    """
    skip = _docstrings(tree or ast.parse(source))
    lines = io.StringIO(source).readlines()  # the tokenizer's lines: splitlines also cuts at form feeds
    words: list[str] = []
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        # Python 3.12 cuts f-strings into pieces; taken whole, they are what 3.11 sees.
        if name in ("FSTRING_START", "TSTRING_START"):
            start = token.start if depth == 0 else start
            depth += 1
        elif name in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if depth == 0:
                words.append(_between(lines, start, token.end))
        elif depth or name in ("COMMENT", "NL", "ENDMARKER", "ENCODING") or token.start in skip:
            continue
        elif name in ("NEWLINE", "INDENT", "DEDENT"):
            words.append(name)
        else:
            words.append(token.string)
    # A docstring leaves an empty statement behind; a body of nothing else keeps its INDENT and DEDENT.
    tidy = [
        w for i, w in enumerate(words) if not (w == "NEWLINE" and (i == 0 or words[i - 1] in ("NEWLINE", "INDENT")))
    ]
    return "\x1f".join(tidy)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield a module and all statements below it: what holds neither docstring nor import is not walked."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting.extend(getattr(node, name, ()))


def _docstrings(tree: ast.AST) -> set[tuple[int, int]]:
    found = set()
    for node in _statements(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                found.add((first.lineno, first.col_offset))
    return found


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return lines[start[0] - 1][start[1] :] + "".join(middle) + lines[end[0] - 1][: end[1]]


def _file_facts(path: Path) -> dict[str, Any]:
    """Return the digest of a module's normal form, and the modules that it imports."""
    source = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source)
        form, imports = normal_form(source, tree), sorted(set(_imports(tree)))
    except (SyntaxError, tokenize.TokenError):
        form, imports = source, []
    return {"digest": hashlib.sha256(form.encode()).hexdigest(), "imports": imports}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield f"{base}{'' if base.endswith('.') or not base else '.'}{alias.name}"


def code(component: type[Component], cache: StatCache) -> dict[str, str]:
    """Return the digests of the code behind a component, by file name relative to its package.

    Args:
        component: The component's class.
        cache: Remembers files that have not changed.
    """
    known = cache.held(component)
    if known is not None:
        return known
    module = sys.modules[component.__module__]
    package = component.__module__.partition(".")[0]
    found: dict[str, str] = {}
    queue, seen = [component.__module__], set[str]()
    while queue:
        name = queue.pop()
        path = _path(name, package)
        if path is None or name in seen:
            continue
        seen.add(name)
        facts = cache.get("code", path, _file_facts)
        found[name] = facts["digest"]
        inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in facts["imports"]:
            target = importlib.util.resolve_name(imported, inside) if imported.startswith(".") else imported
            if target.partition(".")[0] != package:
                continue
            queue.append(target)
            parent = target.rpartition(".")[0]
            # The top package's __init__ holds hooks, which import everything: it counts where a name is taken from it.
            if target == package or (parent == package and _path(target, package) is None):
                queue.append(package)
            while parent not in ("", package):
                queue.append(parent)
                parent = parent.rpartition(".")[0]
    for name in component.data_files:
        path = Path(module.__file__ or "").parent / name
        found[name] = cache.get("data", path, lambda p: hashlib.sha256(p.read_bytes()).hexdigest())
    return cache.hold_code(component, dict(sorted(found.items())))


def _path(module: str, package: str) -> Path | None:
    if not module or module.partition(".")[0] != package:
        return None
    loaded = sys.modules.get(module)
    if loaded is not None and getattr(loaded, "__file__", None):
        return Path(str(loaded.__file__))
    parent, _, name = module.rpartition(".")
    above = _path(parent, package) if parent else None
    if above is None or above.name != "__init__.py":
        return None
    for candidate in (above.parent / f"{name}.py", above.parent / name / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def ingredients(
    labelled: Mapping[str, Component], cache: StatCache, versions: Callable[[str], str], seed: int
) -> dict[str, Any]:
    """Return what the components of a step add to its fingerprint, by label.

    Args:
        labelled: The components.
        cache: Remembers code that has not changed.
        versions: Version of an installed distribution, by name.
        seed: The run's seed; enters where a component uses it.
    """
    found: dict[str, Any] = {}
    for label, component in labelled.items():
        kind = type(component)
        found[label] = {
            "use": component.name,
            "params": component.params(),
            "code": code(kind, cache),
            "libraries": {name: versions(name) for name in kind.libraries},
            **({"seed": seed} if kind.seeded else {}),
        }
    return found


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, old, new) of every leaf in which two plain values differ; what is absent is None.

    Mappings with the same keys in another order differ in that order, which is part of a fingerprint; the outermost
    mapping has no key to tell it under.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if path and list(old) != list(new) and set(old) == set(new):
            yield path, list(old), list(new)
        for key in (*new, *(k for k in old if k not in new)):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path, old, new


def environment_digest(versions: Mapping[str, str]) -> str:
    """Return the identity of an environment: every distribution's version, and Python's."""
    return digest({**versions, "python": ".".join(map(str, sys.version_info[:3])), "platform": os.name})
