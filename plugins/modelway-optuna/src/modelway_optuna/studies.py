"""Studies: where trials are kept, so that a search goes on after its process and is seen by those of its trials."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modelway import ConfigError, ModelwayError, reveal

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.storages.journal import JournalFileOpenLock
    from optuna.trial import Trial


@contextmanager
def told(place: str) -> Iterator[None]:
    """Say in one paragraph what is wrong with a storage."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except json.JSONDecodeError:
        raise ModelwayError(
            "The study's log is damaged", where=place, mend="Remove the file to begin anew: finished trials are cached"
        ) from None
    except OSError as error:
        raise ModelwayError(
            f"The study cannot be kept: {error.strerror or error}", where=place,
            mend="Free some space or make the folder writable, or point sweeper.storage elsewhere",
        ) from None  # fmt: skip
    except (SQLAlchemyError, OptunaError, ImportError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelwayError(
            f"The study's database does not answer: {said}", where=place.split("@")[-1],
            mend="Check the URL in sweeper.storage and that its driver is installed, or leave it out to use a file",
        ) from None  # fmt: skip


def opened(place: str) -> BaseStorage:
    """Return the storage at a file's path or a URL; one a process and place."""
    return _opened(place, os.getpid())


@cache
def _opened(place: str, process: int) -> BaseStorage:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with told(place):
        if "://" in place or place.startswith(("env:", "file:")):
            return optuna.storages.RDBStorage(reveal(place) if "://" not in place else place)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        lock = JournalFileOpenLock(place)
        _drop_torn_line(Path(place), lock)
        return optuna.storages.JournalStorage(JournalFileBackend(place, lock))


def _drop_torn_line(path: Path, lock: JournalFileOpenLock) -> None:
    """Cut off what a full disk or a loss of power left of a last line: the next one would be written behind it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
    lock.acquire()
    try:
        with path.open("rb+") as file:
            text = file.read()
            file.truncate(text.rfind(b"\n") + 1)
    finally:
        lock.release()


def closed(place: str) -> None:
    """Let go of a storage's connections; it can be opened again."""
    storage = opened(place)
    storage.remove_session()
    engine = getattr(storage, "engine", None)
    if engine is not None:  # it is a database
        engine.dispose()


def trial_of(study: Study, storage: BaseStorage, number: int) -> tuple[Trial, int | None]:
    """Return a trial that is under way, and the last round that was reported of it, or None."""
    from optuna.trial import Trial

    held = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)
    return Trial(study, held), storage.get_trial(held).last_step


def file_of(workspace: Path, name: str) -> str:
    """Return the path of the file that keeps a study.

    Raises:
        ConfigError: a name that is no file name.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(
            f"A study cannot be named '{name}': its file has that name too", where="sweeper.study",
            mend="Use letters, digits, dots and dashes",
        )  # fmt: skip
    return str(workspace / ".modelway" / "studies" / f"{name}.log")
