"""A model that was named on the command line: its run, what it predicted, and what it says of other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelway.api import OpenRun
from modelway.cli import composing
from modelway.cli.tables import Subject
from modelway.engine.outputs import Outputs, threshold_of
from modelway.errors import DataError
from modelway.plan import identity
from modelway.plan.steps import Step
from modelway.schema import Schema
from modelway.values import Category, Table, missing
from modelway.workspace import Workspace


def same_data(a: Side, b: Side) -> bool:
    """Make sure that two runs saw the same data; returns whether their rows are to be joined by id."""
    for name, digest in a.sources.items():
        if b.sources.get(name) != digest:
            raise DataError(
                f"{a.title} and {b.title} saw different data: '{name}' is another in B",
                mend="--data WHAT lets both score the same rows",
            )
    if a.prepared == b.prepared:
        return False
    by_id = all(side.recorded().ids is not None for side in (a, b))
    if not by_id and a.table().rows != b.table().rows:
        raise DataError(
            f"The preparation of {b.title} keeps other rows than that of {a.title}, and no column is their id",
            mend="--data WHAT lets both score the same rows, or give a column 'role: id'",
        )
    return by_id


@dataclass(frozen=True)
class Side:
    """A model: its run, and where its decisions turn."""

    title: str
    opened: OpenRun
    schema: Schema
    threshold: float
    why: str

    @classmethod
    def of(cls, what: str) -> Side:
        """Find a model by run, project or version."""
        if "@" in what:
            workspace, version = composing.find_version(what)
            run, title = version["run"], f"{version['project']}@{version['number']}"
        else:
            workspace = Workspace.find()
            row = workspace.ledger().newest(what)
            run, title = row["id"], f"{row['project']}, run {row['id']}"
        opened = OpenRun(workspace, run)
        measured = opened["metrics"].entries if opened.steps.get("metrics", {}).get("digest") else ()
        return cls(title, opened, Schema.of(opened.config["schema"]), *threshold_of(measured))

    def _digests(self, stage: str) -> dict[str, str]:
        found = {}
        for name, step in self.opened.steps.items():
            if step["stage"] == stage:
                manifest = self.opened._store.lookup(step["fingerprint"])
                found[name] = identity(Step(name, stage), manifest) if manifest else step["digest"]
        return found

    @property
    def sources(self) -> dict[str, str]:
        """Identity of each source's rows."""
        return self._digests("acquire")

    @property
    def prepared(self) -> dict[str, str]:
        """Identity of the prepared table; empty where nothing is prepared."""
        return self._digests("prepare")

    def table(self) -> Table:
        """The prepared table, whose rows are numbered."""
        name = next(iter(self.prepared), next(iter(self.sources)))
        table: Table = self.opened[name]
        return table

    def recorded(self) -> Outputs:
        """The predictions that the run made."""
        import numpy as np

        found = [self.opened[name] for name, step in self.opened.steps.items() if step["stage"] == "predict"]
        if not found:
            raise DataError(f"{self.title} has no predictions", mend="Run it as far as 'predictions'")
        slices = [piece for predictions in found for piece in predictions.slices()]
        folds = len({piece.fold for piece in slices}) > 1
        group = [f"{piece.fold} {piece.phase}" if folds else piece.phase for piece in slices]
        names = [np.full(len(piece.label), word, dtype=object) for piece, word in zip(slices, group, strict=True)]
        ids = [piece.columns.get("id") for piece in slices]
        rows = np.concatenate([piece.columns["row"] for piece in slices])
        label = np.concatenate([piece.label for piece in slices]).astype("f8")
        score = np.concatenate([piece.score for piece in slices])
        return Outputs(
            self.title, slices[0].task, tuple(slices[0].classes), rows, np.concatenate(names), label, score,
            self.threshold, _joined(ids),
        )  # fmt: skip

    def scored(self, subject: Subject) -> Outputs:
        """What the model says of a table's rows."""
        import numpy as np

        if "scoring" not in self.opened.steps:
            raise DataError(f"{self.title} has no scoring model", mend="Run it as far as 'scoring'")
        model = self.opened["scoring"]
        if subject.stage == "prepare":  # its row steps were taken already
            model = replace(model, preparers=())
        absent = [name for name in model.schema.columns if name not in subject.table.names]
        if absent:
            raise DataError(f"The rows lack the columns {', '.join(absent[:5])}", where=subject.title)
        target = self.schema.one("target") or ""
        labelled = target in subject.table.names
        names = [*model.schema.columns, *([target] if labelled else [])]
        scores, labels = [], []
        for batch in subject.table.batches(names):
            scores.append(model.score({name: batch[name] for name in model.schema.columns})["score"])
            labels.append(_label(batch[target], model.classes) if labelled else np.full(len(scores[-1]), np.nan))
        score = np.concatenate(scores).astype("f8")
        group = np.full(len(score), "", dtype=object)
        return Outputs(
            self.title, model.task, tuple(model.classes), np.arange(len(score)), group, np.concatenate(labels), score,
            self.threshold,
        )  # fmt: skip


def _label(column: Any, classes: tuple[Any, ...]) -> Any:
    import numpy as np

    if not classes:
        return np.where(missing(column), np.nan, np.asarray(column, dtype="f8"))
    values = column.objects() if isinstance(column, Category) else np.asarray(column).tolist()
    place: Mapping[Any, int] = {value: i for i, value in enumerate(classes)}
    return np.asarray([place.get(value, np.nan) for value in values], dtype="f8")


def _joined(ids: list[Any]) -> Any:
    import numpy as np

    if any(one is None for one in ids):
        return None
    return np.concatenate([one.objects() if isinstance(one, Category) else one for one in ids])
