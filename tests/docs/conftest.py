"""The pages of the documentation, cut into their fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        path: Where the page says that the block belongs (a line like ``# projects/a/conf/config.yaml``), or empty.
    """

    page: Path
    line: int
    language: str
    text: str

    @property
    def path(self) -> str:
        found = re.match(r"# ([\w./-]+\.(?:py|yaml|toml))\n", self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def blocks():
    """Cut a page into its blocks: ``blocks(page, "bash", "yaml")``."""
    return blocks_of
