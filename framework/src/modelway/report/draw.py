"""Plots as SVG: a file that reads anywhere, and a form for the page that takes the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

from modelway.report.plots import Drawing, Series
from modelway.report.words import number

#: Colours as they are drawn, and the variable of the page that takes the place of each.
INK, SOFT, RULE, PAPER, MAIN, SECOND = "#1b2430", "#5a6675", "#dfe4ea", "#ffffff", "#3b6fb6", "#c96f12"
LEVELS = ("#2f6fc4", "#7fa8dc", "#a7a9ad", "#e3a273", "#cf5a1c")
VARIABLES = {
    INK: "ink", SOFT: "soft", RULE: "rule", PAPER: "card", MAIN: "bar", SECOND: "second",
    **{colour: f"level{i}" for i, colour in enumerate(LEVELS)},
}  # fmt: skip
_WIDTH, _HEIGHT = 4.1, 2.8
_LINES = ((MAIN, "-"), (SECOND, "-"), (SOFT, "-"), (MAIN, ":"), (SECOND, ":"), (SOFT, ":"))
_STYLE: dict[Any, Any] = {  # matplotlib's stubs name each key
    "svg.fonttype": "none", "svg.hashsalt": "modelway", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["DejaVu Sans"], "axes.edgecolor": RULE, "axes.labelcolor": SOFT, "axes.linewidth": 0.9,
    "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": RULE, "grid.linewidth": 0.7, "axes.axisbelow": True, "xtick.major.size": 0,
    "ytick.major.size": 0, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.frameon": False,
    "legend.fontsize": 8.5, "axes.unicode_minus": True, "lines.linewidth": 1.7, "svg.image_inline": True,
    "axes.formatter.useoffset": False, "text.parse_math": False,
}  # fmt: skip


def svg(drawing: Drawing) -> str:
    """Draw a plot as an SVG file, in the colours of paper.

    Raises:
        ImportError: matplotlib, of the extra ``pages``, is not installed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _height(drawing)), layout="constrained")
        axes = figure.add_subplot()
        _KINDS[drawing.kind](axes, drawing)
        made = io.StringIO()
        figure.savefig(made, format="svg", facecolor=PAPER, metadata={"Date": None, "Creator": None, "Format": None})
    return made.getvalue()


def inline(drawn: str, name: str, label: str) -> str:
    """Return a plot for a page: without its own paper, its colours the page's, its ids its own."""
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r'<g id="patch_1">.*?</g>', "", body, count=1, flags=re.S)  # the paper
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    prefix = re.sub(r"[^a-zA-Z0-9]+", "-", name)
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    box = re.search(r'viewBox="[^"]+"', body)
    assert box is not None, "matplotlib writes a viewBox"
    end = body.index(">")
    head = f'<svg {box[0]} role="img" aria-label="{escape(label)}" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return head + body[end:].strip()


def _height(drawing: Drawing) -> float:
    if drawing.kind == "matrix":
        return min(4.2, 2.2 + 0.2 * len(drawing.data["classes"]))
    for many, each in (("groups", 0.24), ("values", 0.24), ("features", 0.3)):
        if many in drawing.data:
            return 0.75 + each * len(drawing.data[many])
    return _HEIGHT


def _lines(axes: Any, drawing: Drawing) -> None:
    several = len(drawing.series) > 1
    for place, one in enumerate(drawing.series):
        colour, dash = (MAIN, "-") if drawing.alike else _LINES[place % len(_LINES)]
        faint = 0.45 if drawing.alike and several else 1.0
        dot = "o" if drawing.kind == "points" else ""
        axes.plot(one.x, one.y, dash, color=colour, alpha=faint, label=one.name, marker=dot, markersize=3.5)
    if drawing.reference == "diagonal":
        low, high = _ends(drawing.series)
        axes.plot([low, high], [low, high], "--", color=SOFT, linewidth=0.9, zorder=1)
    _height_line(axes, drawing.reference)
    _mark(axes, drawing)
    _around(axes, drawing)
    if several and not drawing.alike:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=min(3, len(drawing.series)), borderpad=0)
    axes.set_xlabel(drawing.x)
    axes.set_ylabel(drawing.y)
    _numbers(axes)


def _ends(series: tuple[Series, ...]) -> tuple[float, float]:
    values = [value for one in series for value in (*one.x, *one.y)]
    return min(0.0, *values), max(values) if drawn_small(values) else max(1.0, *values)


def drawn_small(values: list[float]) -> bool:
    """Return whether values fill so little of 0 to 1 that the plot shows their own range."""
    return max(values) < 0.7 and min(values) >= 0


def _around(axes: Any, drawing: Drawing) -> None:
    """Show the whole range of shares where values are shares, so that a curve is not made steeper than it is."""
    across = [value for one in drawing.series for value in one.x]
    up = [value for one in drawing.series for value in one.y]
    if drawing.reference == "diagonal":
        low, high = _ends(drawing.series)
        room = 0.02 * (high - low)
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(low - room, high + room)
    elif min(up) >= 0 and max(up) <= 1:
        axes.set_ylim(-0.02, 1.02)
        if min(across) >= 0 and max(across) <= 1 and drawing.mark is None:
            axes.set_xlim(-0.02, 1.02)


def _height_line(axes: Any, reference: Any) -> None:
    if isinstance(reference, (int, float)) and not isinstance(reference, bool):
        axes.axhline(reference, linestyle="--", color=SOFT, linewidth=0.9, zorder=1)


def _mark(axes: Any, drawing: Drawing) -> None:
    if drawing.mark is None:
        return
    axes.axvline(drawing.mark, linestyle="--", color=INK, linewidth=0.9, zorder=1)
    for one in drawing.series:
        nearest = min(range(len(one.x)), key=lambda i: abs(one.x[i] - drawing.mark))
        axes.plot([one.x[nearest]], [one.y[nearest]], "o", color=INK, markersize=4.5, zorder=5)


def _numbers(axes: Any) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        _ticks(axis, 5)


def _ticks(axis: Any, most: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most))
    if max(map(abs, axis.get_view_interval())) >= 1000:
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(int(value))))


def _bars(axes: Any, drawing: Drawing) -> None:
    labels = [value if isinstance(value, str) else f"{value:g}" for value in drawing.series[0].x]
    years = {label[:5] for label in labels if re.fullmatch(r"\d{4}-\d\d-\d\d", label)}
    if len(years) == 1 and all(label[:5] in years for label in labels):
        labels = [label[5:] for label in labels]
    places = range(len(labels))
    for number_, one in enumerate(drawing.series):
        behind = number_ == 0 and len(drawing.series) > 1
        colour = RULE if behind else (MAIN, SECOND, SOFT)[max(0, number_ - 1) % 3]
        axes.bar(places, one.y, 0.78, color=colour, label=one.name)
    _height_line(axes, drawing.reference)
    step = max(1, -(-len(labels) // 5))
    axes.set_xticks(list(places)[::step], labels[::step])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(f"{drawing.x}, {years.pop()[:4]}" if len(years) == 1 else drawing.x)
    if len(drawing.series) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderpad=0)
    else:
        axes.set_ylabel(drawing.y)


def _matrix(axes: Any, drawing: Drawing) -> None:
    from matplotlib.patches import Rectangle

    matrix, classes = drawing.data["matrix"], [str(name) for name in drawing.data["classes"]]
    size = len(classes)
    small = 9.5 if size <= 4 else 7.5 if size <= 12 else 0
    for i, row in enumerate(matrix):
        whole = sum(row) or 1
        for j, cell in enumerate(row):
            shade = 0.08 + 0.54 * cell / whole if cell else 0.03
            axes.add_patch(
                Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, color=MAIN if i == j else SECOND, alpha=shade, lw=0)
            )
            if small and (cell or size <= 4):
                axes.text(j, i, number(int(cell) if cell == int(cell) else cell), ha="center", va="center", size=small)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    step = max(1, -(-size // 20))
    axes.set_xticks(range(0, size, step), classes[::step])
    axes.set_yticks(range(0, size, step), classes[::step])
    axes.grid(visible=False)
    axes.set_xlabel("decided")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)


def _down(axes: Any, names: list[str], x: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(x)


def _groups(axes: Any, drawing: Drawing) -> None:
    groups = drawing.data["groups"]
    for place, one in enumerate(groups.values()):
        if one.get("low") is not None and one.get("high") is not None:
            axes.plot([one["low"], one["high"]], [place, place], color=SOFT, linewidth=1.2)
        axes.plot([one["value"]], [place], "o", color=MAIN, markersize=5)
    _down(axes, [_short(name) for name in groups], drawing.x)


def _importance(axes: Any, drawing: Drawing) -> None:
    values = drawing.data["values"]
    axes.barh(range(len(values)), list(values.values()), 0.62, color=MAIN)
    axes.grid(visible=False, axis="y")
    _ticks(axes.xaxis, 3)
    _down(axes, [_short(name) for name in values], drawing.x)


def _swarm(axes: Any, drawing: Drawing) -> None:
    features = drawing.data["features"]
    reach = max(abs(value) for one in features for value, _ in one["points"])
    axes.axvline(0, color=SOFT, linewidth=0.9, zorder=1)
    for place, one in enumerate(features):
        across, up = _spread([value for value, _ in one["points"]], reach)
        levels = [level for _, level in one["points"]]
        for level in dict.fromkeys(levels):
            chosen = [i for i, other in enumerate(levels) if other == level]
            axes.plot(
                [across[i] for i in chosen], [place + up[i] for i in chosen], "o", markersize=3.1, alpha=0.85,
                markeredgewidth=0, color=SOFT if level is None else LEVELS[level],
            )  # fmt: skip
    axes.grid(visible=False, axis="x")
    _ticks(axes.xaxis, 5)
    _down(axes, [_short(one["name"]) for one in features], drawing.x)
    for level, name in ((0, "low value"), (4, "high value")):
        axes.plot([], [], "o", color=LEVELS[level], markersize=4, label=name)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderpad=0, handletextpad=0.1)


def _spread(values: list[float], reach: float, bins: int = 70) -> tuple[list[float], list[float]]:
    """Set points that would lie on each other above and below the line, the fuller the farther."""
    held: dict[int, list[int]] = {}
    for i, value in enumerate(values):
        held.setdefault(round(value / reach * bins) if reach else 0, []).append(i)
    most = max(map(len, held.values()))
    up = [0.0] * len(values)
    step = min(0.09, 0.8 / max(1, most))
    for items in held.values():
        for k, i in enumerate(items):
            up[i] = (k + 1) // 2 * step * (-1) ** k
    return values, up


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 10]}\N{HORIZONTAL ELLIPSIS}{name[-9:]}"


_KINDS: dict[str, Callable[[Any, Drawing], None]] = {
    "line": _lines, "points": _lines, "bars": _bars, "matrix": _matrix, "groups": _groups,
    "importance": _importance, "swarm": _swarm,
}  # fmt: skip
