"""``modelway score``: score a file of rows with a model version, part by part."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelway.cli import composing, display
from modelway.cli.rows import check, write
from modelway.errors import DataError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "version", help="PROJECT (its champion), PROJECT@champion or PROJECT@NUMBER; PROJECT is a name or a path"
    )
    parser.add_argument("input", help="rows: CSV, parquet or JSON lines, by suffix")
    parser.add_argument(
        "output", nargs="?", default="", help="where the scored rows go: .csv or .parquet; by default printed as CSV"
    )
    parser.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="TOKEN",
        help="text that marks a missing value; by default as in the model's source",
    )
    parser.add_argument("--only-scores", action="store_true", help="write the scores without the rows")


def main(options: argparse.Namespace) -> int:
    """Score."""
    from modelway.context import Run
    from modelway.engine import load_value, manifest_of
    from modelway.plugins import Plugins

    if options.output:
        check(Path(options.output))
    workspace, version = composing.find_version(options.version)
    ledger, store, plugins = workspace.ledger(), workspace.store(warn=composing.warn), Plugins()
    trained = ledger.run(version["run"])
    root, missing = Path(trained["body"]["root"]), options.missing or _missing(trained["config"])
    if (root / "plugin.py").is_file():
        plugins = Plugins(inline=root / "plugin.py")
    model = load_value(store, manifest_of(ledger, store, version["model"]), plugins)
    reader = plugins.component("acquire", "files", {"path": str(Path(options.input).resolve()), "missing": missing})
    with tempfile.TemporaryDirectory(prefix="modelway-") as scratch:
        from modelway.store import Store

        run = Run("score", version["project"], model.task, 0, model.schema, Path(scratch), Store(f"{scratch}/store"))
        table = reader.load(run)
        names = [name for name in model.schema.columns if name in table.names]
        absent = [name for name in model.schema.columns if name not in table.names]
        if absent:
            raise DataError(f"The rows lack the columns {', '.join(absent[:5])}", where=options.input)
        scored = _scored(table, model, names, only=options.only_scores)
        if not options.output:
            _print(scored)
            return 0
        rows = write(scored, Path(options.output))
    print(f"{rows} rows scored by {version['project']}@{version['number']} to {display.paint(options.output, 'bold')}")
    return 0


def _missing(config: dict[str, Any]) -> list[str]:
    """Return what marks a missing value in the files that the model was trained on."""
    source = config["source"]
    files = [one for one in ([source] if "use" in source else source.values()) if one and one["use"] == "files"]
    return list(dict.fromkeys(mark for one in files for mark in one.get("missing", ())))


def _print(batches: Iterator[Any]) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv

    for i, batch in enumerate(batches):
        text = pa.BufferOutputStream()
        csv.write_csv(batch, text, csv.WriteOptions(include_header=i == 0, quoting_style="needed"))
        print(text.getvalue().to_pybytes().decode(), end="", flush=True)


def _scored(table: Any, model: Any, names: list[str], *, only: bool) -> Iterator[Any]:
    import pyarrow as pa

    from modelway.values import from_arrow

    for batch in table.scan():
        columns = {name: column for name, column in from_arrow(batch).items() if name in names}
        score = model.score(columns)["score"]
        made = {} if only else {name: batch.column(name) for name in batch.column_names}
        if score.ndim == 2:
            made |= {f"score_{name}": pa.array(score[:, i]) for i, name in enumerate(model.classes)}
            made["predicted"] = pa.array([model.classes[i] for i in score.argmax(axis=1)])
        else:
            made["score"] = pa.array(score)
        yield pa.table(made)
