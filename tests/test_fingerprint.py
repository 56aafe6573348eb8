"""Fingerprints: explaining or laying out code differently computes nothing anew, and changing it always does."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import fingerprint
from modelway.fingerprint import StatCache, code, differences, digest, normal_form

CODE = '''"""A module."""

import math


class Scale:
    """Scales."""

    factor = 2.0

    def apply(self, x):
        """Apply."""
        # twice
        return math.sqrt(x) * self.factor + f(
            x, 1,
        )


def f(x, y): return x if y else f"{x!r:>{y}} and {'nested' if x else ''}"
'''

EQUAL = {
    "a comment": CODE.replace("# twice", "# two times, or so"),
    "no comment": CODE.replace("        # twice\n", ""),
    "a docstring": CODE.replace('"""Scales."""', '"""Scales by a factor.\n\n    More of it.\n    """'),
    "no docstring": CODE.replace('        """Apply."""\n', ""),
    "no module docstring": CODE.removeprefix('"""A module."""\n\n'),
    "blank lines": CODE.replace("\n\n", "\n\n\n"),
    "line breaks inside brackets": CODE.replace("f(\n            x, 1,\n        )", "f(x, 1,)"),
    "indentation": CODE.replace("        ", "      ")
    .replace("    def", "   def")
    .replace("    factor", "   factor")
    .replace('    """Scales', '   """Scales'),
    "spaces": CODE.replace("x, 1", "x,  1").replace("factor = 2.0", "factor  =  2.0"),
}

DIFFERENT = {
    "a number": CODE.replace("2.0", "2.5"),
    "a name": CODE.replace("math.sqrt", "math.cbrt"),
    "text that is no docstring": CODE.replace("'nested'", "'nestled'"),
    "the format of an f-string": CODE.replace("!r:>", "!s:>"),
    "spaces inside an f-string": CODE.replace("} and {", "}  and {"),
    "an import": CODE.replace("import math", "import cmath as math"),
    "what a block holds": CODE.replace("        return math", "        x = 1\n        return math"),
    "where a line belongs": "if a:\n    b()\n    c()\n",
}


@pytest.mark.parametrize("what", EQUAL)
def test_explaining_and_layout_leave_the_form_alone(what: str) -> None:
    assert EQUAL[what] != CODE
    assert normal_form(EQUAL[what]) == normal_form(CODE)


@pytest.mark.parametrize("what", DIFFERENT)
def test_any_change_of_what_runs_changes_the_form(what: str) -> None:
    other = "if a:\n    b()\nc()\n" if what == "where a line belongs" else CODE
    assert DIFFERENT[what] != other
    assert normal_form(DIFFERENT[what]) != normal_form(other)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "f'{a}'", "1"]), st.text("# \t", max_size=4)), min_size=1, max_size=8)
)
def test_the_form_depends_on_the_tokens_alone(words: list[tuple[str, str]]) -> None:
    plain = "".join(f"x = {word}\n" for word, _ in words)
    dressed = "".join(f"x = {word}{space if '#' in space else ''}\n\n" for word, space in words)
    assert normal_form(plain) == normal_form(dressed)
    assert normal_form(plain + "y = 2\n") != normal_form(plain)


HARD = [
    CODE,
    'x = f"{a}" "b" f\'{c["d"]}\'\n',
    'x = f"""{\n    a\n}\nrest {{literal}} \\N{EM DASH}"""\n',
    "x = rf'{a:{b}.{c}}' + F'{a=}'\n",
    "y = 1\x0c\nx = f'''{a}\n{b}'''\n",
    "def f():\n\tif x:\n\t\treturn f'{x}'  # why\n\telse: pass\n\n# end",
    "class A: 'doc'\n",
    "def g(x: int = 1_000, /, *, y) -> None: ...\nasync def h(): await g(lambda: (yield))\n",
]


@pytest.fixture(scope="module")
def sources() -> list[str]:
    """Hard cases, and modules of the framework."""
    modules = sorted(Path(fingerprint.__file__).parent.rglob("*.py"))[::4]
    return [*HARD, *(path.read_text(encoding="utf-8") for path in modules)]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_sees_the_same_form(version: str, sources: list[str], tmp_path: Path) -> None:
    """Computed on another Python, a step of a shared store is found again."""
    functions = (fingerprint.normal_form, fingerprint._docstrings, fingerprint._statements, fingerprint._between)
    head = "from __future__ import annotations\nimport ast, hashlib, io, json, sys, tokenize\n"
    script = head + "\n\n".join(inspect.getsource(function) for function in functions)
    script += "\nfor s in json.load(sys.stdin): print(hashlib.sha256(normal_form(s).encode()).hexdigest())\n"
    here = version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    python = sys.executable if here else shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"There is no Python {version}")
    done = subprocess.run(
        [python, "-c", script], input=json.dumps(sources), capture_output=True, text=True, check=False
    )
    if "command not found" in done.stderr:
        pytest.skip(f"There is no Python {version} behind its name")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [hashlib.sha256(normal_form(source).encode()).hexdigest() for source in sources]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a component, helpers, and hooks that import everything."""
    root = tmp_path / "closurepack"
    (root / "parts").mkdir(parents=True)
    (root / "__init__.py").write_text("from closurepack.component import Cut\nfrom closurepack import other\n")
    (root / "component.py").write_text(
        "import json\nimport closureoutside\nfrom modelway import Feature\nfrom closurepack.helper import help_it\n"
        "class Cut(Feature, name='cut'):\n    data_files = ('table.txt',)\n"
        "    def apply(self, state, columns):\n"
        "        from closurepack.parts import late\n        return help_it(columns)\n"
    )
    (root / "helper.py").write_text("from .deeper import deep\ndef help_it(x): return deep(x)\n")
    (root / "deeper.py").write_text("def deep(x): return x\n")
    (root / "parts" / "__init__.py").write_text("")
    (root / "parts" / "late.py").write_text("VALUE = 1\n")
    (root / "other.py").write_text("VALUE = 1\n")
    (root / "table.txt").write_text("1\n")
    (tmp_path / "closureoutside.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] in ("closurepack", "closureoutside")]:
        del sys.modules[name]


def _code(package: Path) -> dict[str, str]:
    from importlib import import_module

    return code(import_module("closurepack.component").Cut, StatCache())


@pytest.mark.parametrize("name", ["component.py", "helper.py", "deeper.py", "parts/late.py", "table.txt"])
def test_what_a_component_uses_of_its_package_is_part_of_its_code(package: Path, name: str) -> None:
    before = _code(package)
    path = package / name
    path.write_text(path.read_text() + "x = 1\n")
    assert _code(package) != before


@pytest.mark.parametrize("name", ["other.py", "__init__.py", "../closureoutside.py"])
def test_what_a_component_does_not_use_is_not(package: Path, name: str) -> None:
    """Neither a neighbour that only the hooks import, nor another distribution, whose version counts where declared."""
    before = _code(package)
    path = package / name
    path.write_text(path.read_text() + "x = 1\n")
    assert _code(package) == before


def test_a_helper_that_stands_beside_the_hooks_counts(package: Path) -> None:
    (package / "__init__.py").write_text("def shared(x): return x\n")
    (package / "deeper.py").write_text("from closurepack import shared\ndef deep(x): return shared(x)\n")
    before = _code(package)
    (package / "__init__.py").write_text("def shared(x): return x + 1\n")
    assert _code(package) != before


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    """Its time may stay the same over a second change of the same size."""
    path, cache = tmp_path / "a", StatCache()
    path.write_text("one")
    stamp = path.stat().st_mtime_ns
    assert cache.get("text", path, Path.read_text) == "one"
    path.write_text("two")
    os.utime(path, ns=(stamp, stamp))
    assert cache.get("text", path, Path.read_text) == "two"


def test_a_settled_file_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    path, calls = tmp_path / "a", list[Path]()

    def read(path: Path) -> str:
        calls.append(path)
        return path.read_text()

    path.write_text("one")
    past = time.time() - 60
    os.utime(path, (past, past))
    cache = StatCache(tmp_path / "cache.json")
    assert [cache.get("text", path, read), cache.get("text", path, read)] == ["one", "one"]
    assert len(calls) == 1
    cache.save(lambda where, data: where.write_bytes(data) and None)
    assert StatCache(tmp_path / "cache.json").get("text", path, read) == "one"
    assert len(calls) == 1
    path.write_text("other")
    assert cache.get("text", path, read) == "other"


def test_a_broken_memory_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "cache.json").write_text("{")
    (tmp_path / "a").write_text("one")
    assert StatCache(tmp_path / "cache.json").get("text", tmp_path / "a", Path.read_text) == "one"


LEAVES = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))
TREES = st.dictionaries(st.sampled_from("abc"), LEAVES | st.integers(0, 2))


@given(TREES, TREES)
def test_differences_are_found_exactly_where_two_values_differ(a: dict[str, Any], b: dict[str, Any]) -> None:
    found = {key: (old, new) for key, old, new in differences(a, b)}
    for key in {*a, *b}:
        here = {name for name in found if name.partition(".")[0] == key}
        assert bool(here) == (digest(a.get(key)) != digest(b.get(key)))
    for key, (old, new) in found.items():
        top, _, inner = key.partition(".")
        if inner:
            assert (a[top].get(inner), b[top].get(inner)) == (old, new)


def test_a_difference_inside_is_told_by_its_whole_key() -> None:
    old, new = {"model": {"max_depth": 6, "eta": 1}}, {"model": {"max_depth": 8, "rounds": 5}}
    assert list(differences(old, new)) == [
        ("model.max_depth", 6, 8), ("model.rounds", None, 5), ("model.eta", 1, None),
    ]  # fmt: skip


def test_the_order_of_a_mapping_is_part_of_its_digest() -> None:
    """Features run in the order in which they are declared."""
    assert digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1})
