"""The project speaks only of itself: it names no machine and no registry, so that it builds anywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Written in pieces, so that this file does not hold what it looks for.
PLACES = re.compile(r"(?<![\w.}>)-])/" + r"(work|root|farm|mnt|workspace)/" + r"|/(home|Users)/" + r"\w+")
HOSTS = re.compile(
    "|".join(
        [
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "conda" + r"\.anaconda\.org",
            "--(extra-)?index" + "-url",
            "--find" + "-links",
        ]
    )
)


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git working tree")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(("what", "pattern"), [("a place of one machine", PLACES), ("a registry", HOSTS)])
def test_no_file_names(what: str, pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, f"These lines name {what}:\n" + "\n".join(found)


def test_every_pinned_dependency_has_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.replace("\\\n", " ").strip())
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+", entry), f"Not pinned: {entry[:60]}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"Without a hash: {entry[:60]}"


def test_the_lock_holds_what_the_distributions_need() -> None:
    """Packages are installed with --no-deps after it."""
    import tomllib

    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)(?:\[.*?\])?==", lock, re.MULTILINE)
    }
    for path in (ROOT / "framework" / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        for need in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("dependencies", []):
            name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", need)[0]).lower()  # type: ignore[index]
            assert name == "modelway" or name in pinned, (
                f"{path.parent.name} needs {name}, which requirements.lock lacks"
            )
