"""Pages that a command writes."""

from __future__ import annotations

from pathlib import Path

from modelway.errors import ConfigError, DataError


def check(path: str) -> None:
    """Check, before any work is done for it, that a page can have a name.

    Raises:
        ConfigError: it ends otherwise than pages do.
    """
    if Path(path).suffix not in (".html", ".htm"):
        raise ConfigError(f"The page {path} does not end in .html", mend="Name it so")


def write(path: str | Path, text: str) -> Path:
    """Write a page, and make its folder where there is none.

    Raises:
        DataError: it cannot be written.
    """
    place = Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The page cannot be written: {error.strerror or error}", where=str(path), mend="Name another place"
        ) from None
    return place
