"""The bundle's environment: the fewest distributions that its code needs, each at the version installed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from modelway import ConfigError

_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def owners(modules: Iterable[str]) -> list[str]:
    """Return the distributions that offer some top-level modules.

    Raises:
        ConfigError: a module of no distribution, which no environment could install.
    """
    known, found = metadata.packages_distributions(), set()
    for module in modules:
        if module not in known:
            raise ConfigError(
                f"The model's code imports '{module}', which belongs to no installed distribution",
                mend="Move it into the plugin's package, or into the project's plugin.py",
            )
        found.add(canonicalize_name(sorted(known[module])[0]))
    return sorted(found)


def pins(roots: Iterable[str], instead: Mapping[str, str]) -> dict[str, str]:
    """Return each distribution that some distributions need, themselves included, with its installed version.

    Args:
        roots: Names of distributions, with extras where wanted.
        instead: A distribution to write in another's place; an empty one leaves it out.

    Raises:
        ConfigError: a distribution that is needed and not installed.
    """
    instead = {canonicalize_name(name): other for name, other in instead.items()}
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(root) for root in roots]
    while todo:
        needed = todo.pop()
        name = canonicalize_name(needed.name)
        if instead.get(name) == "":
            continue
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise ConfigError(
                f"The bundle needs '{needed.name}', which is not installed here", mend=f"Install {needed.name}"
            ) from None
        found[canonicalize_name(instead.get(name, name))] = installed.version
        for extra in ("", *sorted(needed.extras)):
            if (name, extra) not in seen:
                seen.add((name, extra))
                further = map(Requirement, installed.requires or ())
                todo += [r for r in further if r.marker is None or r.marker.evaluate({"extra": extra})]
    return dict(sorted(found.items()))


def hashes(lock: Path) -> dict[tuple[str, str], list[str]]:
    """Return the hashes of a pip lock file by distribution and version; empty where there is no such file."""
    if not lock.is_file():
        return {}
    found: dict[tuple[str, str], list[str]] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        pin = _PIN.match(entry.strip())
        if pin:
            found[canonicalize_name(pin[1]), pin[2]] = sorted(set(_HASH.findall(entry)))
    return found


def requirements(pinned: Mapping[str, str], locked: Mapping[tuple[str, str], list[str]]) -> tuple[str, list[str]]:
    """Return a requirements file: with hashes where the lock has them for all, as pip asks for all or none.

    Returns:
        The text, and the pins that a lock with entries does not hold.
    """
    absent = [f"{name}=={version}" for name, version in pinned.items() if not locked.get((name, version))]
    if absent:
        return "".join(f"{name}=={version}\n" for name, version in pinned.items()), absent if locked else []
    lines = []
    for name, version in pinned.items():
        lines.append(" \\\n    ".join([f"{name}=={version}", *(f"--hash={h}" for h in locked[name, version])]))
    return "\n".join(lines) + "\n", []
