"""What this machine has to give: cores and memory, as its control group allows."""

from __future__ import annotations

from modelway import ConfigError

#: Share of the free memory that workers get; the rest is this process's.
SHARE = 0.9


def cores() -> int:
    """Return the cores that this process may use, by affinity and control group."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def memory() -> int:
    """Return the bytes that are free now, at most what the control group allows."""
    import psutil
    from distributed.system import MEMORY_LIMIT

    return int(min(MEMORY_LIMIT, psutil.virtual_memory().available))


def limit(text: str, workers: int, where: str) -> int:
    """Return a worker's memory limit in bytes: as declared, or an equal share of what is free.

    Raises:
        ConfigError: no size.
    """
    if not text:
        return int(memory() * SHARE / max(workers, 1))
    return size(text, where)


def size(text: str, where: str) -> int:
    """Read a number of bytes, such as ``2GB`` or ``512 MiB``.

    Raises:
        ConfigError: no size.
    """
    from dask.utils import parse_bytes

    try:
        return int(parse_bytes(text))
    except ValueError:
        raise ConfigError(f"'{text}' is no size in memory", where=where, mend="Write 2GB, or 512 MiB") from None


def told(count: float) -> str:
    """Write a number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
