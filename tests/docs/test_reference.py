"""The reference is what the code says, whole, and what it names is tested."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


def _components() -> list[Any]:
    plugins = generate.first_party()
    return [c for loaded in plugins.loaded.values() for c in loaded.components]


@pytest.fixture(scope="session")
def tests() -> str:
    """Every test of the workspace, as one text."""
    paths = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("plugins/*/tests/**/*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.parametrize("name", ["commands.md", "components.md", "configuration.md", "hooks.md"])
def test_the_reference_is_made_from_the_code_as_it_is(name: str) -> None:
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == generate.pages()[name], "Run python docs/generate.py"


def test_no_page_of_the_reference_is_left_over() -> None:
    assert {path.name for path in (ROOT / "docs" / "reference").iterdir()} == set(generate.pages())


@pytest.mark.parametrize(("name", "function"), list(generate.hooks()))
def test_a_hook_is_documented_with_its_signature_and_tested(name: str, function: Any, tests: str) -> None:
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    source = (ROOT / "framework" / "src" / "modelway" / "hookspecs.py").read_text(encoding="utf-8")
    written = re.search(rf"^def {name}\(.*?\) -> .*?:", source, re.MULTILINE)
    assert written is not None
    assert f"### {name}\n\n```python\n{written[0]} ...\n```\n\n{function.__doc__}" in page
    assert re.search(rf"\b{name}\b", tests), f"No test mentions the hook {name}"


@pytest.mark.parametrize("component", _components(), ids=lambda c: f"{c.stage}/{c.name}")
def test_a_component_is_documented_with_its_fields_and_tested(component: Any, tests: str) -> None:
    page = (ROOT / "docs" / "reference" / "components.md").read_text(encoding="utf-8")
    sections = {m[1]: m[2] for m in re.finditer(r"^### (.+?)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)}
    key = generate.STAGES[component.stage][2]
    section = sections.get(component.name) or sections[f"{component.name} ({key})"]
    for field in dataclasses.fields(component):
        assert f"| `{field.name}` |" in section
        assert field.metadata["help"].endswith("."), f"Field {field.name} says nothing"
    mentioned = rf"\b{component.__name__}\b|use: {component.name}\b|[\"']{component.name}[\"']"
    assert re.search(mentioned, tests), f"No test mentions {component.stage}/{component.name}"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^### modelway ([\w-]+)$", page, re.MULTILINE) == list(generate.COMMANDS)
