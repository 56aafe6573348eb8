"""The machine: how much memory this process may still take, which is the least of what its several limits leave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 1 << 60


def available(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that this process may still take; a very large number where nothing limits it.

    Looked at are the memory that the kernel calls available, the limits of the control groups (version 2 and 1) that
    the process is in, where file pages that the kernel can drop do not count as used, and the limits on address space
    and data.
    """
    return min([*_kernel(proc), *_groups(proc, groups), *_limits(proc), _UNLIMITED])


def _kernel(proc: Path) -> Iterator[int]:
    found = _fields(proc / "meminfo").get("MemAvailable")
    if found is not None:
        yield found << 10
    elif not (proc / "meminfo").exists() and hasattr(os, "sysconf"):
        try:
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return


def _groups(proc: Path, groups: Path) -> Iterator[int]:
    for line in _lines(proc / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            names, root = ("memory.max", "memory.current", "inactive_file"), groups
            if (groups / "unified").is_dir():
                root = groups / "unified"
        elif "memory" in controllers.split(","):
            names, root = (
                ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
                groups / "memory",
            )
        else:
            continue
        # In a container the path may be the host's, and the group is then mounted at the root.
        folder = root / path.lstrip("/")
        for place in (folder, *folder.parents) if folder.is_dir() else (root,):
            yield from _group(place, *names)
            if place == root:
                break


def _group(folder: Path, limit: str, used: str, droppable: str) -> Iterator[int]:
    try:
        most = int((folder / limit).read_text())
        taken = int((folder / used).read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return
    yield max(most - taken + _fields(folder / "memory.stat").get(droppable, 0), 0)


def _limits(proc: Path) -> Iterator[int]:
    try:
        import resource
    except ImportError:  # not a Unix
        return
    status = _fields(proc / "self" / "status")
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY:
            yield max(most - (status.get(name, 0) << 10), 0)


def _fields(path: Path) -> dict[str, int]:
    found = {}
    for line in _lines(path):
        name, _, value = line.replace(":", " ", 1).partition(" ")
        number = value.split()
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
