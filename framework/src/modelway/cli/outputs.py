"""``modelway outputs``: two models' predictions on the same rows, in sum and row by row."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.cli import display
from modelway.cli.rows import check, write
from modelway.cli.sides import Side, same_data
from modelway.cli.tables import HELP, Tables
from modelway.engine.outputs import Compared, compare, rows_of
from modelway.errors import ConfigError, nearest
from modelway.schema import Schema
from modelway.values import Table

if TYPE_CHECKING:
    import pyarrow as pa

VERBS = True
_MODEL = "RUN, PROJECT (its newest run) or PROJECT@VERSION"
#: Raw columns beside id and time that a terminal has room for.
_BESIDE = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    diff = verbs.add_parser("diff", help="compare two models' predictions on the same rows")
    diff.add_argument("a", help=f"the reference: {_MODEL}")
    diff.add_argument("b", help=_MODEL)
    diff.add_argument("--data", default="", metavar="WHAT", help=f"rows for both to score; {HELP}")
    diff.add_argument("--tolerance", type=float, default=1e-6, help="difference of scores above which a row counts")
    diff.add_argument("--top", type=int, default=10, metavar="N", help="rows to show, those furthest apart first")
    diff.add_argument("--columns", default="", metavar="A,B", help="columns to show of those rows, beside the scores")
    diff.add_argument("--out", default="", metavar="FILE", help="write every row: .csv or .parquet")
    diff.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Compare."""
    if options.out:
        check(Path(options.out))
    a, b = Side.of(options.a), Side.of(options.b)
    with Tables() as tables:
        if options.data:
            subject = tables.find(options.data)
            found = compare(a.scored(subject), b.scored(subject), options.tolerance)
            table, schema = subject.table, a.schema
        else:
            by_id = same_data(a, b)
            found = compare(a.recorded(), b.recorded(), options.tolerance, by_id=by_id)
            table, schema = a.table(), a.schema
        shown = _chosen(options.columns, table, schema)
        worst = _rows(found, found.worst(options.top), table, list(table.names) if options.json else shown)
        if options.out:
            every = _rows(found, found.worst(len(found.a.rows)), table, list(table.names))
            write([every], Path(options.out))
    return _tell(options, found, worst, (a, b))


def _tell(options: argparse.Namespace, found: Compared, worst: pa.Table, sides: tuple[Side, Side]) -> int:
    sums = found.sums()
    points = [{"threshold": side.threshold, "why": side.why} for side in sides]
    if options.json:
        told = {"a": found.a.title, "b": found.b.title, "tolerance": found.tolerance, "only": list(found.only)}
        decisions = {"operating_points": points} if found.a.task == "binary" else {}
        display.emit({**told, **decisions, "sums": sums, "rows": worst.to_pylist()})
        return 0
    for letter, outputs, point in zip("AB", (found.a, found.b), points, strict=True):
        cut = f", positive from {point['threshold']:.4g} ({point['why']})" if found.a.task == "binary" else ""
        print(f"{letter}  {display.paint(outputs.title, 'bold')}{cut}")
    if any(found.only):
        print(f"{found.only[0]:,} rows were scored by A only, {found.only[1]:,} by B only; the rest is compared")
    print()
    print(_sums(sums, found))
    if found.difference.max() > found.tolerance and options.top > 0:
        print("\nfurthest apart")
        rows = [[_short(value) for value in row.values()] for row in worst.to_pylist()]
        numbers = [i for i, kind in enumerate(worst.schema.types) if str(kind).startswith(("int", "double", "float"))]
        print(display.table(worst.column_names, rows, right=numbers))
    if options.out:
        print(f"\n{len(found.a.rows):,} rows to {display.paint(options.out, 'bold')}")
    return 0


def _sums(sums: list[dict[str, Any]], found: Compared) -> str:
    def mean(value: Any) -> Any:
        return value if isinstance(value, float) else ""

    head = ["rows of", "rows", "mean A", "mean B", "|B-A|", "largest", "differ", "pearson", "spearman", "PSI", "flips"]
    rows = [
        [
            one["rows of"], f"{one['rows']:,}", mean(one["mean_a"]), mean(one["mean_b"]), one["mean_difference"],
            one["largest_difference"], f"{one['differ']:.1%}", one["pearson"], one["spearman"], one["psi"],
            one.get("flips"),
        ]
        for one in sums
    ]  # fmt: skip
    drop = {10} if found.a.task == "regression" else {2, 3} if found.a.task == "multiclass" else set[int]()
    kept = [i for i in range(len(head)) if i not in drop]
    rows = [[row[i] for i in kept] for row in rows]
    lines = [display.table([head[i] for i in kept], rows, right=range(1, len(kept)))]
    whole = sums[0]
    if found.a.task == "multiclass":
        each = zip(found.a.classes, whole["mean_a"], whole["mean_b"], strict=True)
        lines += ["", display.table(["class", "mean A", "mean B"], [list(row) for row in each], right=(1, 2))]
    if whole.get("flips"):
        told = ""
        if found.a.task == "binary":
            negative, positive = found.a.classes
            told = f": {whole['to_positive']:,} to {positive}, {whole['to_negative']:,} to {negative}"
        known = "flips_right_in_a" in whole
        right = f"; A was right in {whole['flips_right_in_a']:,}, B in {whole['flips_right_in_b']:,}" if known else ""
        lines += ["", f"{whole['flips']:,} decisions flip{told}{right}"]
    return "\n".join(lines)


def _rows(found: Compared, places: Any, table: Table, columns: list[str]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    a, b = found.a.at(places), found.b.at(places)
    made: dict[str, Any] = {"row": a.rows}
    if a.group.tolist() != [""] * len(a.group):
        made["phase"] = a.group
    known = ~np.isnan(a.label)
    if known.any():
        made["label"] = _named(a.label, known, a.classes)
    for letter, outputs in (("A", a), ("B", b)):
        if outputs.score.ndim == 1:
            made[f"score {letter}"] = outputs.score
        elif len(outputs.classes) <= 3 or len(columns) == len(table.names):
            made |= {f"score {letter} {name}": outputs.score[:, i] for i, name in enumerate(outputs.classes)}
    made["difference"] = found.difference[places]
    for letter, outputs in (("A", a), ("B", b)):
        if outputs.decision is not None:
            made[f"decision {letter}"] = _named(outputs.decision, np.ones(len(places), bool), outputs.classes)
    raw = rows_of(table, a.rows, columns)
    return pa.table({
        **{name: pa.array(values) for name, values in made.items()},
        **{name if name not in made else f"{name} of the row": raw.column(name) for name in columns},
    })  # fmt: skip


def _named(numbers: Any, known: Any, classes: tuple[Any, ...]) -> list[Any]:
    if not classes:
        return [float(value) if held else None for value, held in zip(numbers, known, strict=True)]
    return [str(classes[int(value)]) if held else None for value, held in zip(numbers, known, strict=True)]


def _chosen(asked: str, table: Table, schema: Schema) -> list[str]:
    if asked:
        names = [name.strip() for name in asked.split(",")]
        for name in names:
            if name not in table.names:
                raise ConfigError(f"The rows have no column '{name}'", mend=nearest(name, table.names))
        return names
    ahead = (*schema.with_role("id"), *schema.with_role("time"), *schema.with_role("entity"))
    roles = [name for name in ahead if name in table.names]
    features = [name for name in table.names if name not in roles and name not in schema.with_role("target")]
    return [*roles, *features[:_BESIDE]]


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return display.figure(value)
    return value if not isinstance(value, str) or len(value) <= 24 else f"{value[:23]}…"
