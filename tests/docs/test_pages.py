"""README and docs are carried out, block by block, as a reader would: what they say works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
SET_UP = "python3 -m venv .venv && "
#: Commands that other tests hold to what they name, since carrying them out here would run these tests in themselves.
LONG = re.compile(r"\.venv/bin/python (-m pytest -(n|m) .*|benchmarks/\w+\.py)$")


class Reader:
    """Somebody who follows a page in a copy of the workspace."""

    def __init__(self, root: Path, place: Path) -> None:
        self.place, self.port = place, free_port()
        self.serving: subprocess.Popen[str] | None = None
        for name in ("projects", "conf"):
            shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__", ".modelway"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MODELWAY_", "PYTEST_", "PYTHON"))}
        self.env = {**kept, "PYTHONPATH": str(place)}

    def type(self, command: str, block: Any) -> None:
        """Carry a command out; what it says it exits with it must exit with."""
        text = command.replace(".venv/bin/", f"{BIN}/").replace("127.0.0.1:3000", f"127.0.0.1:{self.port}")
        if " serve " in command:
            return self.serve(text)
        code = int((re.search(r"# exits with (\d+)", command) or [0, "0"])[1])
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.place, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{block}: {command}\nexits with {done.returncode}\n{done.stdout}{done.stderr}"
        return None

    def serve(self, text: str) -> None:
        words = [*shlex.split(text), "--port", str(self.port)]
        self.serving = subprocess.Popen(words, cwd=self.place, env=self.env, stdout=subprocess.DEVNULL, text=True)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.serving.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                    assert answer.status == 200
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(f"{text} serves nothing")

    def stop(self) -> None:
        """End the service, by its process alone, as a supervisor does."""
        if self.serving is None:
            return
        self.serving.send_signal(signal.SIGTERM)
        assert self.serving.wait(timeout=30) == 0
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)), "What 'modelway serve' started outlives it"

    def python(self, text: str, block: Any) -> None:
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=self.place,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"

    def write(self, block: Any) -> None:
        path = self.place / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text.partition("\n")[2], encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def commands(text: str) -> Iterator[str]:
    """Yield a block's commands; one goes on over lines while a quote is open."""
    held = ""
    for line in text.splitlines():
        held = f"{held}\n{line}" if held else line
        try:
            words = shlex.split(held, comments=True)
        except ValueError:
            continue
        if words:
            yield held
        held = ""
    assert not held, f"A quote stays open: {held}"


@pytest.fixture
def reader(root: Path, tmp_path: Path) -> Iterator[Reader]:
    someone = Reader(root, tmp_path / "workspace")
    yield someone
    if someone.serving is not None and someone.serving.poll() is None:
        someone.serving.terminate()
        someone.serving.wait(timeout=30)


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md", "docs/plugins.md", "docs/data.md", "docs/scale.md"])
def test_a_page_can_be_followed_from_top_to_bottom(name: str, root: Path, reader: Reader, blocks: Any) -> None:
    carried_out = 0
    for block in blocks(root / name):
        if block.path:
            reader.write(block)
        if block.language == "python":
            reader.python(block.text, block)
        if block.language not in ("bash", "console"):
            continue
        for command in commands(block.text):
            if command.startswith(SET_UP):  # what it installs is installed here: its last command is the main job
                command = command.rpartition(" && ")[2]
            elif LONG.match(command.partition("#")[0].strip()):
                continue
            reader.type(command, block)
            carried_out += 1
    assert carried_out > 3
    reader.stop()


def test_continuous_integration_runs_what_the_readme_says(root: Path, blocks: Any) -> None:
    said = [block.text.strip() for block in blocks(root / "README.md", "bash")][:2]
    script = (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    run = [line for line in script if line and not line.startswith(("#", "set ", "cd "))]
    assert said == run


def test_long_checks_name_what_is_there(root: Path, blocks: Any) -> None:
    config = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = [c for b in blocks(root / "README.md", "console") for c in commands(b.text)]
    assert len(found) > 3
    for command in found:
        words = shlex.split(command, comments=True)
        if "-m" in words[2:]:
            assert f'"{words[-1]}: ' in config, f"{command}: there is no such mark"
        else:
            assert (root / words[-1]).is_file(), f"{command}: there is no such file"


def test_every_named_file_of_a_page_is_used_by_a_later_command(root: Path, blocks: Any) -> None:
    found = blocks(root / "docs" / "guide.md")
    for i, block in enumerate(found):
        if block.path and block.path.endswith(".yaml"):
            folder, name = Path(block.path).parent.name, Path(block.path).stem
            wanted = f"{folder}={name}" if name != "config" else f" {Path(block.path).parts[1]}"
            later = [b.text for b in found[i:] if b.language == "bash"]
            assert any(wanted in text for text in later), f"{block} declares {block.path}, and no command uses it"


def _yaml_pages() -> list[str]:
    root = Path(__file__).parents[2]
    pages = ["README.md", *(f"docs/{p.name}" for p in sorted((root / "docs").glob("*.md")))]
    return [*pages, *(str(p.relative_to(root)) for p in sorted(root.glob("plugins/*/README.md")))]


@pytest.fixture(scope="session")
def validate() -> Any:
    from jsonschema import Draft202012Validator

    from modelway.config.jsonschema import documents
    from modelway.plugins import Plugins

    common = Draft202012Validator(documents(Plugins())["config"])

    def check(text: str, inline: Path | None = None) -> list[str]:
        import yaml

        own = inline is not None and inline.is_file()
        whole = Draft202012Validator(documents(Plugins(inline=inline))["config"]) if own else common
        return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in whole.iter_errors(yaml.safe_load(text))]

    return check


@pytest.mark.parametrize("name", _yaml_pages())
def test_configuration_that_a_page_shows_is_valid(name: str, root: Path, blocks: Any, validate: Any) -> None:
    for block in blocks(root / name, "yaml"):
        if not block.path or block.path.endswith("config.yaml"):  # other files are composed by the page's commands
            assert not validate(block.text), f"{block}: {validate(block.text)}"


def test_the_schema_for_editors_refuses_what_the_projects_do_not_say(root: Path, validate: Any) -> None:
    for path in sorted(root.glob("projects/*/conf/config.yaml")):
        text = path.read_text(encoding="utf-8")
        plugin = path.parent.parent / "plugin.py"
        assert not validate(text, plugin), f"{path}: {validate(text, plugin)}"
        assert validate(text + "\nsead: 1\n", plugin)


def test_the_readme_lists_every_exit_code(root: Path) -> None:
    from modelway import errors

    text = (root / "README.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    codes = {
        cls.code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.ModelwayError)
    }
    assert listed == codes | {0, 11, 130}


def test_links_lead_somewhere(root: Path) -> None:
    for page in (root / "README.md", *(root / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"
