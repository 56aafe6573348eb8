"""Figures and names as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_DASH, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def number(value: Any, currency: str = "") -> str:
    """Return a figure: four significant digits, thousands apart; money with its currency, whole from a hundred on."""
    if value is None or value != value:
        return _DASH
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if currency:
        shown = f"{abs(value):,.0f}" if abs(value) >= 100 else f"{abs(value):,.2f}"
        return f"{_MINUS if value < 0 else ''}{currency}\N{NO-BREAK SPACE}{shown}"
    if isinstance(value, int):
        shown = f"{value:,}"
    elif value == 0:
        shown = "0"
    elif 1000 <= abs(value) < 1e15:
        shown = f"{value:,.0f}"
    elif 1e-4 <= abs(value) < 1000:
        shown = f"{value:.4f}" if abs(value) < 1 else f"{value:#.4g}" if value % 1 else f"{value:.0f}"
    else:
        shown = f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-")
    return shown.replace("-", _MINUS)


def column(values: Sequence[Any]) -> list[str]:
    """Return the figures of one column, all with as many decimals as suit the middle one."""
    floats = sorted(abs(value) for value in values if isinstance(value, float) and value == value)
    if not floats or any(isinstance(value, str) for value in values) or not 1e-3 <= floats[-1] < 1e15:
        return [number(value) for value in values]
    middle = floats[len(floats) // 2]
    decimals = next((digits for bound, digits in ((1000, 0), (10, 1), (1.001, 2)) if middle >= bound), 4)
    return [
        number(value) if not isinstance(value, float) or value != value
        else f"{value:,.{decimals}f}".replace("-", _MINUS)
        for value in values
    ]  # fmt: skip


def interval(low: float, high: float, currency: str = "") -> str:
    """Return ``low to high``, the currency said once."""
    above = number(high, currency)
    return f"{number(low, currency)} to {above.removeprefix(currency).strip() if currency else above}"


def count(value: int, one: str) -> str:
    """Return how many there are of something: ``1 row``, ``2,000 rows``."""
    return f"{value:,} {one}{'' if value == 1 else 's'}"


def size(value: float) -> str:
    """Return a number of bytes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def seconds(value: float) -> str:
    """Return a duration."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def plain(name: str) -> str:
    """Return a name of code as words: ``false_positive_rate`` as ``false positive rate``."""
    return name.replace("_", " ")


def joined(items: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def moment(iso: str | None) -> str:
    """Return a UTC time of the ledger to the minute."""
    return f"{iso[:10]} {iso[11:16]} UTC" if iso else _DASH


def brief(value: Any, most: int = 160) -> str:
    """Return a value of a configuration in few words."""
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {brief(inner)}" for key, inner in value.items())
    elif isinstance(value, (list, tuple)):
        text = ", ".join(brief(inner) for inner in value)
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if abs(value) < 10_000 else f"{value:,}"
    else:
        text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
