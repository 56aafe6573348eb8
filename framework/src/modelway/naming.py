"""Names of what is written: one declared convention, checked when a name is made.

A name is a pattern of words, by default ``{project}/{kind}/{version}``. Words are lower case and start with a letter,
so that they are good file names, image names and URL parts everywhere.
"""

from __future__ import annotations

import re

from modelway.errors import ConfigError

_WORD = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_FIELDS = {"project", "kind", "version"}


def suggest(word: str) -> str:
    """Return the nearest word that follows the convention."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", word).lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return found if found[:1].isalpha() else f"x-{found}".rstrip("-")


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
