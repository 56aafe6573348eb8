"""Small charts as inline SVG, coloured by the page's style sheet; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

    from modelway_profile.numeric import NumberColumn

_WIDTH, _HEIGHT = 280, 64


def number(value: Any) -> str:
    """Return a figure as people read it: four significant digits, thousands apart."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if value == 0:
        return "0"
    if isinstance(value, int) or (abs(value) >= 1000 and abs(value) < 1e15):
        return f"{value:,.0f}"
    return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def share(part: float) -> str:
    """Return a fraction as a percentage that does not round something to nothing, or nearly all to all."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    if 0.999 < part < 1:
        return "> 99.9 %"
    return f"{part:.1%}".replace("%", " %").replace(".0 ", " ")


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    power = min(4, max(0, len(str(int(count))) - 1) // 3)
    return f"{count / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def bars(rows: Sequence[float], labels: Sequence[str], title: str, kind: str = "bars") -> Markup:
    """Return a bar chart; each bar says its label and rows when pointed at."""
    from markupsafe import Markup

    top = max(rows, default=0) or 1
    step = _WIDTH / max(1, len(rows))
    gap = 1.0 if step > 3 else 0.0
    parts = []
    for i, count in enumerate(rows):
        if count:
            tall = max(1.5, count / top * (_HEIGHT - 2))
            parts.append(
                f'<rect x="{i * step:.2f}" y="{_HEIGHT - tall:.2f}" width="{step - gap:.2f}" height="{tall:.2f}">'
                f"<title>{escape(labels[i])}: {number(round(count))} rows</title></rect>"
            )
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def line(values: Sequence[float | None], labels: Sequence[str], title: str, bounds: Sequence[float]) -> Markup:
    """Return columns over time against bounds: what is beyond the last bound is drawn in the colour of alarm.

    All pages share one scale, up to four times the last bound: an odd month does not flatten the others.
    """
    from markupsafe import Markup

    shown = [value or 0.0 for value in values]
    top = bounds[-1] * 4
    step = _WIDTH / max(1, len(shown))
    parts = []
    for i, value in enumerate(shown):
        tall = min(float(_HEIGHT), max(1.0, value / top * (_HEIGHT - 2)))
        level = sum(value >= bound for bound in bounds)
        parts.append(
            f'<rect class="level{level}" x="{i * step:.2f}" y="{_HEIGHT - tall:.2f}" width="{max(1.0, step - 1.5):.2f}"'
            f' height="{tall:.2f}"><title>{escape(labels[i])}: PSI {value:.3f}</title></rect>'
        )
    for bound in bounds:
        y = _HEIGHT - bound / top * (_HEIGHT - 2)
        parts.append(f'<line x1="0" x2="{_WIDTH}" y1="{y:.2f}" y2="{y:.2f}"/>')
    return Markup(
        f'<svg class="line" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def pair(a: Sequence[float], b: Sequence[float], labels: Sequence[str], title: str) -> Markup:
    """Return two samples' shares by bin side by side."""
    from markupsafe import Markup

    top = max([*a, *b], default=0) or 1
    step = _WIDTH / max(1, len(a))
    wide = step * 0.4
    parts = []
    for i, both in enumerate(zip(a, b, strict=True)):
        for side, value in enumerate(both):
            tall = max(0.75, value / top * (_HEIGHT - 2)) if value else 0.0
            x = i * step + step * 0.08 + side * (wide + step * 0.04)
            parts.append(
                f'<rect class="side{side}" x="{x:.2f}" y="{_HEIGHT - tall:.2f}" width="{wide:.2f}" height="{tall:.2f}">'
                f"<title>{escape(labels[i])}: {share(both[0])}, now {share(both[1])}</title></rect>"
            )
    return Markup(
        f'<svg class="pair" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def picture(column: NumberColumn, bins: int = 40) -> dict[str, Any] | None:
    """Return the bars of a column of numbers and what its ends are.

    A few rare values far out would squeeze all others into one bar: then the picture runs from the 1st to the 99th
    hundredth, from the quantile sketch, and ``cut`` says so. Otherwise it is the exact histogram.
    """
    import numpy as np

    from modelway_profile.facts import histogram
    from modelway_profile.quantiles import quantiles, share_up_to

    if not column.held or column.low is None or column.high is None or column.low == column.high:
        return None
    low, high = float(column.low), float(column.high)
    values, counts = column.weighed()
    first, last = quantiles(values, counts, low, high, (0.01, 0.99))
    if last > first and (high - last > 2 * (last - first) or first - low > 2 * (last - first)):
        edges = np.linspace(first, last, bins + 1)
        upto = share_up_to(values, counts, edges) * column.held
        upto[0] = share_up_to(values, counts, edges[:1], below=True)[0] * column.held
        rows = np.diff(upto).tolist()
        return {"edges": edges.tolist(), "rows": rows, "cut": True}
    if column.whole and len(column.tally.values) <= bins and not column.tally.error and high - low < bins:
        rows = [0.0] * (int(high - low) + 1)
        for value, count in zip(column.tally.values.tolist(), column.tally.counts.tolist(), strict=True):
            rows[int(value - low)] = count
        return {"edges": [low + i for i in range(len(rows) + 1)], "rows": rows, "cut": False, "each": True}
    return {**histogram(column, bins), "cut": False}
