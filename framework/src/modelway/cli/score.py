"""``modelway score``: score a file of rows with a model version, part by part, here or on a compute."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.cli import composing, display
from modelway.cli.rows import check, write
from modelway.errors import ConfigError, DataError

if TYPE_CHECKING:
    from modelway.context import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "version", help="PROJECT (its champion), PROJECT@champion or PROJECT@NUMBER; PROJECT is a name or a path"
    )
    parser.add_argument("input", help="rows: CSV, parquet or JSON lines, by suffix")
    parser.add_argument(
        "output", nargs="*", metavar="output",
        help="where the scored rows go: .csv or .parquet; by default printed as CSV; then what carries the work, as"
        " compute=local compute.workers=4: this process, unless that is said",
    )  # fmt: skip
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
    from modelway.config import compose
    from modelway.context import Run
    from modelway.engine import load_value, manifest_of
    from modelway.plugins import Plugins
    from modelway.store import Store

    output, overrides = _told(options.output)
    workspace, version = composing.find_version(options.version)
    ledger, store, plugins = workspace.ledger(), workspace.store(warn=composing.warn), Plugins()
    trained = ledger.run(version["run"])
    root, missing = Path(trained["body"]["root"]), options.missing or _missing(trained["config"])
    if (root / "plugin.py").is_file():
        plugins = Plugins(inline=root / "plugin.py")
    model = load_value(store, manifest_of(ledger, store, version["model"]), plugins)
    reader = plugins.component("acquire", "files", {"path": str(Path(options.input).resolve()), "missing": missing})
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelway-")))
        blobs = store if overrides else Store(f"{scratch}/store")  # workers elsewhere see the workspace's own
        run = Run("score", version["project"], model.task, 0, model.schema, scratch, blobs, workspace.root)
        if overrides:
            experiment = compose(root, overrides, workspace, plugins)
            run = replace(run, uses=experiment.uses)
            run.workers = stack.enter_context(experiment.one("compute").open(run))
        table = reader.load(run)
        absent = [name for name in model.schema.columns if name not in table.names]
        if absent:
            raise DataError(f"The rows lack the columns {', '.join(absent[:5])}", where=options.input)
        score = Scorer(model, tuple(model.schema.columns), options.only_scores)
        scored = _mapped(score, table, run) if overrides else score(table)
        if not output:
            _print(scored)
            return 0
        rows = write(scored, Path(output))
    print(f"{rows} rows scored by {version['project']}@{version['number']} to {display.paint(output, 'bold')}")
    return 0


def _told(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return where the rows go, and the overrides that say what carries the work.

    Raises:
        ConfigError: several outputs, or a key that scoring does not follow.
    """
    files = [word for word in words if word.endswith((".csv", ".parquet")) or "=" not in word]
    overrides = [word for word in words if word not in files]
    for word in overrides:
        key = word.lstrip("+").partition("=")[0]
        if key.partition(".")[0] != "compute":
            raise ConfigError(
                f"Scoring follows no '{key}': the model is as it was trained", where=f"override {word}",
                mend="Say what carries the work, as compute=local, or leave it out",
            )  # fmt: skip
    if len(files) > 1:
        raise ConfigError(f"There is one output, and {len(files)} were given: {', '.join(files)}")
    for file in files:
        check(Path(file))
    return "".join(files), overrides


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


@dataclass(frozen=True)
class Scorer:
    """Scores a table's rows, batch by batch.

    Attributes:
        model: The scoring model.
        names: The columns that it reads.
        only: Whether to leave the rows' own columns out.
    """

    model: Any
    names: tuple[str, ...]
    only: bool = False

    def __call__(self, table: Any) -> Iterator[Any]:
        """Yield arrow tables, a batch each."""
        import pyarrow as pa

        from modelway.values import from_arrow

        for batch in table.scan():
            columns = {name: column for name, column in from_arrow(batch).items() if name in self.names}
            score = self.model.score(columns)["score"]
            made = {} if self.only else {name: batch.column(name) for name in batch.column_names}
            if score.ndim == 2:
                made |= {f"score_{name}": pa.array(score[:, i]) for i, name in enumerate(self.model.classes)}
                made["predicted"] = pa.array([self.model.classes[i] for i in score.argmax(axis=1)])
            else:
                made["score"] = pa.array(score)
            yield pa.table(made).combine_chunks()


def _mapped(score: Scorer, table: Any, run: Run) -> Iterator[Any]:
    """Score a table's parts on the run's compute; yields what ``score`` does, batch for batch."""
    import pyarrow as pa

    def kept(part: Any) -> str:
        """Score a part; its batches go to the store as they are, and only their digest to whoever asked."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scored.arrow"
            writer = None
            for batch in score(part):
                writer = writer or pa.ipc.new_stream(path, batch.schema)
                writer.write_table(batch)
            if writer is not None:
                writer.close()
            return str(part.blobs.put_file(path)[0])

    for digest in run.map(kept, [table.only([part]) for part in table.parts if part.rows]):
        with pa.OSFile(str(run.blobs.open(digest))) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                yield pa.Table.from_batches([batch])
