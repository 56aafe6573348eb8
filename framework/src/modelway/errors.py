"""What a user is told when something is wrong: what, where, and how to mend it.

Every error here survives pickling, since errors cross worker processes, and carries the exit code of
the command that it ends. The codes are part of the interface; README lists them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class ModelwayError(Exception):
    """An error that a user can act on: one paragraph, never a stack trace.

    Args:
        what: What is wrong, as a sentence without its full stop.
        where: The file, key, row or plugin concerned.
        mend: What to do about it, as a sentence without its full stop.
    """

    code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.mend = what, where, mend

    def __str__(self) -> str:
        at = f" ({self.where})" if self.where else ""
        mend = f" {self.mend}." if self.mend else ""
        return f"{self.what}{at}.{mend}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.mend))


def _rebuild(cls: type[ModelwayError], what: str, where: str, mend: str) -> ModelwayError:
    return cls(what, where=where, mend=mend)


class ConfigError(ModelwayError):
    """A wrong key, type, choice or interpolation in the configuration or on the command line."""

    code = 2


class PartialError(ModelwayError):
    """Some trials of a sweep failed and the others finished."""

    code = 3


class DataError(ModelwayError):
    """Data that cannot be read, or that breaks its declared schema."""

    code = 4


class PluginError(ModelwayError):
    """A plugin that is missing, broken, ambiguous, or breaks its contract."""

    code = 5


class StoreError(ModelwayError):
    """A store that cannot be written, or that holds something other than what was put there."""

    code = 6


class LedgerError(ModelwayError):
    """A ledger that cannot be opened, or that another version of Modelway wrote."""

    code = 7


class GateError(ModelwayError):
    """A gate refused the model; the run itself finished and is on record."""

    code = 8


class ConflictError(ModelwayError):
    """Someone else changed the same thing first."""

    code = 9


class StageError(ModelwayError):
    """A stage's component failed in a way that it did not explain itself."""

    code = 10


class ComputeError(ModelwayError):
    """A cluster that is not there, cannot do the work, or lost its workers."""

    code = 12


class PrunedError(ModelwayError):
    """A trial of a sweep that its sweeper ended early; it reaches no command line."""

    code = 13


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that ``word`` was most likely meant to be.

    Returns:
        ``"Did you mean 'x'"``, or the list of what is known, or ``""`` when nothing is.
    """
    names = sorted({str(name) for name in known})
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"Known here: {shown}"


@contextmanager
def explained(what: str, where: str) -> Iterator[None]:
    """Turn an operating-system error into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        mends = {
            errno.ENOSPC: "Free some space, or point 'store' elsewhere; what was committed is whole",
            errno.EROFS: "The store is read-only: make it writable, or point 'store' elsewhere",
            errno.EACCES: "The store is not writable by this user: change its rights, or point 'store' elsewhere",
            errno.EDQUOT: "Free some space, or point 'store' elsewhere; what was committed is whole",
            errno.EPERM: "The store is not writable by this user: change its rights, or point 'store' elsewhere",
        }
        text = error.strerror or str(error)
        raise StoreError(f"{what}: {text}", where=where, mend=mends.get(error.errno or 0, "")) from error


def raised_at(error: BaseException, folders: Iterable[str] = ()) -> str:
    """Return the file (with its folder) and line that an exception came from, ``""`` where it has none.

    Args:
        error: The exception.
        folders: The last place below one of these is told, where there is one: an author's own line says more than that
            of the library which it called.
    """
    told, own = "", ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        told = f"{'/'.join(name.split('/')[-2:])}:{trace.tb_lineno}"
        own = told if any(name.startswith(f"{folder.rstrip('/')}/") for folder in folders) else own
        trace = trace.tb_next
    return own or told
