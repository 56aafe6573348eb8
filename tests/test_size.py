"""A module that has outgrown 400 lines holds more than one idea."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("where", ["framework", "plugins"])
def test_no_module_outgrows_a_reader(where: str) -> None:
    modules = [path for path in (ROOT / where).rglob("*.py") if "src" in path.parts]
    assert modules
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {name: count for name, count in lines.items() if count > 400} == {}
