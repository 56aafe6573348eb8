"""``modelway data profile``, ``describe`` and ``diff``: profiles as pages, text and JSON."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from modelway import naming
from modelway.cli import display, pages
from modelway.cli.tables import Subject, Tables
from modelway.errors import ConfigError

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 16
#: Columns that a table by month has room for, and columns without a change that are told by name.
_SERIES, _NAMED = 8, 12
_VERDICTS = {"far": "red", "moved": "yellow", "same": "dim", "passing": "dim"}


def profile(options: argparse.Namespace) -> int:
    """Write a page about a table."""
    if options.out:
        pages.check(options.out)
    with Tables() as tables:
        subject = tables.find(options.what)
        profiler, found = tables.profiles(subject, options.where, target=options.target, time=options.time)
        title = _title(subject, options.where)
        path = pages.write(options.out or f"{naming.suggest(title)}.html", profiler.page(found.whole, title))
        warnings = profiler.describe(found.whole).get("warnings", ())
    print(f"The profile of {title} is in {display.paint(str(path), 'bold')}")
    for line in _warnings(warnings):
        print(line)
    return 0


def describe(options: argparse.Namespace) -> int:
    """Say what a table holds."""
    with Tables() as tables:
        subject = tables.find(options.what)
        profiler, found = tables.profiles(subject, options.where, target=options.target, time=options.time)
        told = profiler.describe(found.whole)
    if options.json:
        display.emit({"what": subject.title, "where": options.where, "identity": subject.identity, **told})
    else:
        print(_described(_title(subject, options.where), told))
    return 0


def diff(options: argparse.Namespace) -> int:
    """Say what differs between two tables, or between rows of one."""
    if options.out:
        pages.check(options.out)
    if not options.b and not (options.where_a or options.where_b or options.by):
        raise ConfigError(
            "There is one table to compare, and two are needed",
            mend="modelway data diff A B, or rows of one: modelway data diff A --where-a 'yr == 0' --where-b 'yr == 1'",
        )
    with Tables() as tables:
        a = tables.find(options.a)
        b = tables.find(options.b) if options.b else a
        fields = {"target": options.target, "time": options.time}
        profiler, before = tables.profiles(a, options.where_a, **fields)
        by = ""
        if options.by:
            by = options.time or profiler.describe(before.whole)["table"].get("time") or ""
            if not by:
                raise ConfigError(f"{a.title} has no column that is a time", mend="Name one with --time")
        _, after = tables.profiles(b, options.where_b, by, **fields)
        told = profiler.diff(before.whole, after.whole, after.months)
        titles = [_title(a, options.where_a), _title(b, options.where_b)]
        if options.out:
            title = f"{titles[0]}, against {titles[1]}"
            path = pages.write(options.out, profiler.diff_page(before.whole, after.whole, title, after.months))
    if options.json:
        display.emit({"a": titles[0], "b": titles[1], **told})
        return 0
    print(_differing(titles, told))
    if options.out:
        print(f"\nThe page is in {display.paint(str(path), 'bold')}")
    return 0


def _title(subject: Subject, where: str) -> str:
    return f"{subject.title} where {where}" if where else subject.title


def _described(title: str, told: Mapping[str, Any]) -> str:
    table, columns = told["table"], told["columns"]
    size = f", {display.size(table['bytes'])}" if table.get("bytes") else ""
    lines = [f"{display.paint(title, 'bold')}: {table['rows']:,} rows, {len(columns)} columns{size}"]
    volume = table.get("volume")
    if volume:
        day = volume["rows_a_day"]
        gaps = f", {volume['gaps']:,} days between without rows" if volume["gaps"] else ""
        lines.append(
            f"{table['time']} from {volume['first']} to {volume['last']}: {volume['days']:,} days with {day['min']:,}"
            f" to {day['max']:,} rows, {day['median']:,} in the middle{gaps}"
        )
    aimed = any(column.get("target") for column in columns.values())
    head = ["column", "type", "missing", "distinct", "min", "median", "mean", "max", *(["target"] if aimed else []), ""]
    rows = []
    for name, column in columns.items():
        middle = (column.get("quantiles") or {}).get("0.5")
        about = "~" if column.get("distinct_error") else ""
        figures = [_shown(value) for value in (column.get("min"), middle, column.get("mean"), column.get("max"))]
        role = "" if column.get("role") in ("", "feature", None) else f" ({column['role']})"
        rows.append([
            name, f"{column['type']}{role}", _share(column["missing"], column["rows"]),
            f"{about}{column['distinct']:,}", *figures, *([_related(column.get("target"))] if aimed else []),
            _bars(column) or _top(column),
        ])  # fmt: skip
    lines += ["", display.table(head, rows, right=(2, 3, 4, 5, 6, 7))]
    if aimed:
        lines.append(display.paint("target: AUC, or share of variance explained, of the column alone", "dim"))
    warnings = _warnings(told.get("warnings", ()))
    return "\n".join([*lines, "", *warnings] if warnings else lines)


def _warnings(warnings: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for warning in warnings:
        stop = warning["severity"] == "stop"
        mark = display.paint("!!" if stop else "! ", "red" if stop else "yellow")
        rows.append(f"{mark} {warning['column']}: {warning['text']}.")
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return display.figure(value) if isinstance(value, (int, float)) else str(value)


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return "" if not part else "<0.1%" if share < 0.001 else f"{share:.1%}"


def _related(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    if found.get("auc") is not None:
        return f"auc {found['auc']:.3f}"
    squared = max(found.get("explained") or 0.0, (found.get("pearson") or 0.0) ** 2)
    return f"{squared:.1%}"


def _bars(column: Mapping[str, Any]) -> str:
    """Return a histogram as one line of blocks."""
    rows = (column.get("histogram") or {}).get("rows") or []
    if len(rows) < 2:
        return ""
    step = -(-len(rows) // _WIDTH)
    sums = [sum(rows[i : i + step]) for i in range(0, len(rows), step)]
    most = max(sums)
    return "".join(_BARS[-(-value * (len(_BARS) - 1) // most)] if value else " " for value in sums)


def _top(column: Mapping[str, Any]) -> str:
    found = [f"{_cut(str(entry['value']))} {entry['rows'] / column['rows']:.0%}" for entry in column.get("top", ())[:3]]
    more = ", ..." if column["distinct"] > 3 and found else ""
    often = found and column["top"][0]["rows"] >= column["rows"] / 100
    return ", ".join(found) + more if often else ""


def _cut(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:19]}…"


def _differing(titles: list[str], told: Mapping[str, Any]) -> str:
    a, b = (display.paint(title, "bold") for title in titles)
    lines = [f"A  {a}: {told['rows'][0]:,} rows", f"B  {b}: {told['rows'][1]:,} rows"]
    for key, word in (("added", "only in B"), ("removed", "only in A")):
        if told[key]:
            lines.append(f"{word}: {', '.join(told[key])}")
    columns = told["columns"]
    moved = [name for name in told["order"] if columns[name]["verdict"] in ("far", "moved")]
    rows = []
    for name in moved:
        column = columns[name]
        mean = column.get("mean") or [None, None]
        why = "; ".join(text for text in column["why"] if not text.startswith("PSI "))
        rows.append([
            name, display.paint(column["verdict"], _VERDICTS[column["verdict"]]), _figure(column.get("psi")),
            _figure(column.get("ks")), *(_shown(value) for value in mean), why,
        ])  # fmt: skip
    if rows:
        head = ["column", "", "PSI", "KS", "mean of A", "of B", "why"]
        lines += ["", display.table(head, rows, right=(2, 3, 4, 5))]
    same = [name for name in told["order"] if columns[name]["verdict"] == "same"]
    if same:
        shown = [f"{name} {_figure(columns[name].get('psi'))}".strip() for name in same[:_NAMED]]
        more = f" and {len(same) - _NAMED} more" if len(same) > _NAMED else ""
        lines += ["", f"much the same (PSI): {', '.join(shown)}{more}"]
    passing = [name for name in told["order"] if columns[name]["verdict"] == "passing"]
    if passing:
        lines.append(
            display.paint(f"not compared, as times and identifiers always differ: {', '.join(passing)}", "dim")
        )
    if told.get("months"):
        lines += ["", _by_month(told, [*moved, *same])]
    return "\n".join(lines)


def _by_month(told: Mapping[str, Any], names: Sequence[str]) -> str:
    shown = list(names[:_SERIES])
    series = {name: told["columns"][name].get("by_month", {}) for name in shown}
    rows = [[month, *(_psi(series[name].get(month)) for name in shown)] for month in told["months"]]
    return display.table(["PSI against A", *shown], rows, right=tuple(range(1, len(shown) + 1)))


def _psi(value: float | None) -> str:
    text = _figure(value)
    colour = "" if value is None or value < 0.1 else "yellow" if value < 0.25 else "red"
    return display.paint(text, colour) if colour else text


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
