"""Names of what is written: one declared convention, checked when a name is made.

A name is a pattern of words, by default ``{project}/{kind}/{version}``. Words are lower case and start with a letter,
so that they are good file names, image names and URL parts everywhere. Files may start with a digit too, and name a
partition (``day=2026-01-31``); columns may have single spaces between words, since much data comes like that.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

from modelway.errors import ConfigError

#: What has a name.
Kind = Literal["project", "label", "column", "file", "folder", "bundle", "alias"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WORD = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_COLUMN = re.compile(r"[a-z][a-z0-9]*([ _-][a-z0-9]+)*")
_FILE = re.compile(r"[._]*[a-z0-9]+([._-]+[a-z0-9]+)*_*(\.[a-z0-9]+)*|[a-z][a-z0-9_]*=[^/\s]+")
#: Files that everybody knows by a name of their own.
_KNOWN = re.compile(r"(README|LICENSE|NOTICE|CHANGELOG|CONTRIBUTING|SECURITY|AUTHORS)(\.[a-z]+)?|Makefile|Dockerfile")
_BUNDLE = re.compile(r"[0-9]+-[0-9a-f]{12}")
_FIELDS = {"project", "kind", "version"}


def follows(word: str, kind: Kind = "project") -> bool:
    """Return whether a name follows the convention for its kind."""
    if kind in ("file", "folder"):
        return bool(_FILE.fullmatch(word) or _KNOWN.fullmatch(word))
    pattern = {"column": _COLUMN, "bundle": _BUNDLE}.get(kind, _WORD)
    return bool(pattern.fullmatch(word))


def suggest(word: str) -> str:
    """Return the nearest word that follows the convention."""
    found = _plain(word)
    return found if found[:1].isalpha() else f"x-{found}".rstrip("-")


def propose(word: str, kind: Kind = "project") -> str:
    """Return the nearest name that follows the convention for its kind; one that does already stays as it is."""
    if follows(word, kind):
        return word
    if kind == "column":
        return suggest(word).replace("-", "_")
    if kind in ("file", "folder"):
        stem, dot, suffixes = word.partition(".") if kind == "file" else (word, "", "")
        ending = ".".join(filter(None, (_plain(part) for part in suffixes.split("."))))
        plain = _plain(stem) or "x"
        return f"{plain.replace('-', '_') if ending == 'py' else plain}{dot and '.'}{ending}".rstrip(".")
    return suggest(word)


def _plain(word: str) -> str:
    ascii = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", ascii).lower()
    return re.sub(r"[^a-z0-9]+", "-", parted).strip("-")


def check(word: str, what: str, where: str = "") -> str:
    """Return a word that follows the convention.

    Raises:
        ConfigError: it does not; the message proposes one that does.
    """
    if not _WORD.fullmatch(word):
        raise ConfigError(
            f"The {what} '{word}' breaks the naming convention: lower case, digits, '-' and '_' between words",
            where=where,
            mend=f"Call it '{suggest(word)}'",
        )
    return word


def name(pattern: str, *, project: str, kind: str, version: str) -> str:
    """Return the name of something that is written.

    Raises:
        ConfigError: a word breaks the convention, or the pattern has an unknown or lacks a needed field.
    """
    fields = set(re.findall(r"\{(\w+)\}", pattern))
    if fields - _FIELDS or not {"project", "version"} <= fields:
        raise ConfigError(
            f"The naming pattern '{pattern}' must hold {{project}} and {{version}}, and may hold {{kind}}",
            where="naming",
        )
    return pattern.format(project=check(project, "project"), kind=check(kind, "kind"), version=version)
