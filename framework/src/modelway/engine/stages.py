"""What the engine does at each stage: from components and input values to one output value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelway.context import Run
from modelway.engine.profiling import Wanted
from modelway.errors import ConfigError, DataError
from modelway.experiment import Experiment
from modelway.plan import Step
from modelway.schema import Schema
from modelway.values import (
    Batch,
    Bundle,
    Columns,
    Findings,
    Model,
    Predictions,
    Profile,
    Score,
    Scores,
    ScoringModel,
    Split,
    Table,
    Transform,
    Value,
    Verdict,
    take,
    to_arrow,
    to_records,
)
from modelway.values.artifact import Folder

if TYPE_CHECKING:
    from modelway.values.columns import Array

#: Held-out rows that travel with a model.
GOLDEN = 20


class Transforms(Value, kind="Transforms"):
    """The fitted features of a fold, in order."""

    def __init__(self, items: tuple[Transform, ...]) -> None:
        self.items = items

    def save(self, folder: Folder) -> None:
        """Write ``transforms.json``."""
        folder.put_json("transforms.json", [transform.plain() for transform in self.items])

    @classmethod
    def load(cls, folder: Folder) -> Transforms:
        """Read ``transforms.json``."""
        return cls(tuple(Transform.of(body, folder) for body in folder.get_json("transforms.json")))


#: How each kind of value is read back; models are read by their trainer.
KINDS: dict[str, type[Value]] = {
    kind.kind: kind
    for kind in (Table, Findings, Profile, Split, Transforms, Predictions, Scores, Verdict, ScoringModel, Bundle)
}


class Executor:
    """Computes steps.

    Args:
        experiment: What is declared.
        value: Returns the output of an earlier step.
        output: Loads an output of an earlier run by its digest.
    """

    def __init__(self, experiment: Experiment, value: Callable[[str], Any], output: Callable[[str], Any]) -> None:
        self.experiment, self.value, self.output = experiment, value, output

    def compute(self, step: Step, run: Run) -> Value:
        """Compute a step's output."""
        method: Callable[[Step, Run], Value] = getattr(self, f"_{step.stage}")
        return method(step, run)

    def _schema(self, names: Any) -> Schema:
        schema = self.experiment.schema
        return schema.expand(names) if schema.columns else schema

    @staticmethod
    def _only(step: Step) -> tuple[str, Any]:
        return next(iter(step.components.items()))

    def _acquire(self, step: Step, run: Run) -> Table:
        label, source = self._only(step)
        table: Table = source.load(replace(run, label=label, schema=self.experiment.schema_of(label)))
        if table.rows == 0:
            raise DataError(f"The source '{label}' has no rows", where=self.experiment.where("source"))
        return table

    def _prepare(self, step: Step, run: Run) -> Table:
        tables = {self._source(name): self.value(name) for name in step.inputs}
        table: Table = next(iter(tables.values()))
        for label, preparer in step.components.items():
            table = preparer.prepare({**tables, "table": table}, replace(run, label=label))
        return table

    def _source(self, step: str) -> str:
        return step.partition(".")[2] or next(iter(self.experiment.all("acquire")))

    def _validate(self, step: Step, run: Run) -> Findings:
        table: Table = self.value(step.inputs[0])
        tables = {self._source(name): self.value(name) for name in step.inputs if name.startswith("source")}
        seen = replace(run, schema=self.experiment.schema_of(step.name.partition(".")[2]), tables=tables)
        found = [check.check(table, replace(seen, label=label)) for label, check in step.components.items()]
        return Findings(tuple(i for f in found for i in f.items), table.rows, sum(f.rules for f in found))

    def _profile(self, step: Step, run: Run) -> Profile:
        _, profiler = self._only(step)
        wanted = Wanted(profiler, self.experiment.schema, self.experiment.settings.task)
        return wanted.profiles(self.value(step.inputs[0]), run).whole

    def _split(self, step: Step, run: Run) -> Split:
        table: Table = self.value(step.inputs[0])
        label, splitter = self._only(step)
        made: Split = splitter.split(table, replace(run, label=label, schema=self._schema(table.names)))
        if made.folds != splitter.fold_names():
            raise ConfigError(
                f"The splitter '{splitter.name}' declared the folds {', '.join(splitter.fold_names())}"
                f" and made {', '.join(made.folds)}"
            )
        return made

    def _features(self, step: Step, run: Run) -> Transforms:
        split = self.value("split").at(step.fold)
        return Transforms(fit_features(step.components, split, run))

    def _train(self, step: Step, run: Run) -> Model:
        split, transforms = self.value(step.inputs[0]).at(step.fold), self.value(step.inputs[1])
        label, trainer = self._only(step)
        model: Model = trainer.fit(split.with_steps(transforms.items), replace(run, label=label, schema=split.schema))
        for name, value in model.facts().items():
            run.log(name, value)
        return model

    def _predict(self, step: Step, run: Run) -> Predictions:
        split, transforms, model = (self.value(name) for name in step.inputs)
        seen = split.at(step.fold).with_steps(transforms.items)
        return predict(seen, model.predict, step.own["phases"], run)

    def _evaluate(self, step: Step, run: Run) -> Scores:
        return measure(step.components, [self.value(name) for name in step.inputs], run)

    def _champion(self, step: Step, run: Run) -> Scores:
        if "scores" in step.own:
            scores: Scores = self.output(step.own["scores"])
            return scores
        champion: ScoringModel = self.output(step.own["model"])
        seen = replace(self.value("split"), steps=champion.steps)
        return measure(step.components, [predict(seen, champion.model.predict, step.own["phases"], run)], run)

    def _gate(self, step: Step, run: Run) -> Verdict:
        scores = self.value("metrics")
        champion = self.value("champion") if "champion" in step.inputs else None
        return Verdict(
            tuple(
                replace(gate.decide(scores, champion, replace(run, label=label)), gate=label)
                for label, gate in step.components.items()
            )
        )

    def _scoring(self, step: Step, run: Run) -> ScoringModel:
        split, transforms, model = (self.value(name) for name in step.inputs[:3])
        _, trainer = next(iter(self.experiment.all("train").items()))
        schema = self._schema(split.table.names).features()  # as declared now; a split knows what shaped it only
        preparers = tuple((label, p) for label, p in self.experiment.all("prepare").items() if p.row)
        made = ScoringModel(
            model=model,
            trainer=trainer,
            preparers=preparers,
            transforms=transforms.items,
            schema=schema,
            task=split.task,
            classes=split.classes,
            about={"project": self.experiment.project, "description": self.experiment.settings.description},
        )
        return made.with_golden(_golden(split, list(schema.columns)))

    def _package(self, step: Step, run: Run) -> Bundle:
        label, packager = self._only(step)
        made: Bundle = packager.package(self.value("scoring"), replace(run, label=label))
        return made


def _golden(split: Split, names: list[str]) -> list[dict[str, Any]]:
    for fold in reversed(split.folds):
        for phase in ("test", "valid", "train"):
            seen = split.at(fold)
            if seen.count(phase):
                batch = next(iter(seen.batches(phase)))
                return to_records({n: c for n, c in take(batch.raw, slice(0, GOLDEN)).items() if n in names})
    raise DataError("The split has no rows")


def fit_features(components: Mapping[str, Any], split: Split, run: Run) -> tuple[Transform, ...]:
    """Fit features on the training rows: as few passes as their order allows, each over every part once.

    Features are summarised in the same pass while none of them reads what an earlier one of the pass makes or replaces.
    """
    waiting, done = dict(components), list[Transform]()
    head = take(next(iter(split.batches("train"))).features, slice(0, 2))
    while waiting:
        ready: dict[str, tuple[Any, tuple[str, ...]]] = {}
        taken: set[str] = set()  # columns that a feature of this pass, not fitted yet, reads and may replace
        for label, feature in list(waiting.items()):
            try:
                inputs = _inputs(label, feature, head)
            except ConfigError:
                if not ready:
                    raise
                break  # a feature of this pass may make the column
            if ready and (not feature.fitted or taken.intersection(inputs)):
                break
            if feature.fitted:
                ready[label] = (feature, inputs)
                taken.update(inputs)
            else:
                del waiting[label]
                done.append(Transform(feature, inputs, feature.finish(None), label))
                head = done[-1](head)
        if ready:
            summaries, before = _summarise(split.with_steps(tuple(done)), ready, run), head
            for label, (feature, inputs) in ready.items():
                now = _inputs(label, feature, head)
                if now != inputs or any(head[name] is not before[name] for name in inputs):
                    break  # an earlier feature of the pass made or replaced a column that this one reads
                del waiting[label]
                done.append(Transform(feature, inputs, feature.finish(summaries[label]), label))
                head = done[-1](head)
    return tuple(done)


def _inputs(label: str, feature: Any, available: Columns) -> tuple[str, ...]:
    try:
        return feature.inputs(available)  # type: ignore[no-any-return]
    except ConfigError as error:
        raise ConfigError(error.what, where=f"features.{label}.columns", mend=error.mend) from None


def _summarise(split: Split, ready: Mapping[str, tuple[Any, tuple[str, ...]]], run: Run) -> dict[str, Any]:
    def merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
        return {label: feature.merge(a[label], b[label]) for label, (feature, _) in ready.items()}

    def summarise(piece: Split) -> dict[str, Any] | None:
        merged = None
        for batch in piece.batches("train"):
            found = {label: f.summarise({n: batch.features[n] for n in inputs}) for label, (f, inputs) in ready.items()}
            merged = merge(merged, found) if merged else found
        return merged

    pieces, merged = split.pieces(), None
    # By part on every compute, merged in the rows' order: so the sums come out the same wherever they are made.
    for i, found in enumerate(run.map(summarise, pieces)):
        merged = merge(merged, found) if merged and found else merged or found
        run.progress("parts", i + 1, len(pieces))
    assert merged, "a fold has training rows"
    return merged


def predict(split: Split, score: Callable[[Columns], dict[str, Array]], phases: list[str], run: Run) -> Predictions:
    """Score the rows of some phases of a fold, once."""
    phases, columns = [phase for phase in phases if split.count(phase)], _role_columns(split)
    if not phases:
        raise DataError(
            f"Fold '{split.fold}' has no rows of the phases that are scored, so nothing can be measured",
            mend="Give the split a test share, or declare other 'phases'",
        )

    def batches(piece: Split, phase: str) -> Iterable[Batch]:
        if run.workers.client is not None:
            return piece.batches(phase, columns=columns)
        size = piece.count(phase) * len(columns) * 24
        return run.share(f"batches {piece.identity} {phase}", lambda: piece.batches(phase, columns=columns), size)

    def scored(piece: Split) -> Table | None:
        found = (
            _predicted(batch, score(batch.features), piece, phase)
            for phase in phases
            for batch in batches(piece, phase)
        )
        return run.table(found) if any(piece.count(phase) for phase in phases) else None

    tables = [table for table in run.map(scored, split.pieces()) if table is not None]
    parts = tuple(part for table in tables for part in table.parts)
    return Predictions(Table(tables[0].columns, parts, run.blobs), split.task, split.classes)


_ROLES = ("id", "time", "group", "entity", "amount", "weight")


def _role_columns(split: Split) -> list[str]:
    wanted = ("feature", "target", *_ROLES)
    return [name for name, column in split.schema.columns.items() if column.role in wanted]


def _predicted(batch: Batch, outputs: Mapping[str, Array], split: Split, phase: str) -> Any:
    import numpy as np

    from modelway.values import Category

    rows = len(batch.rows)
    one = np.zeros(rows, dtype=np.int32)
    columns: Columns = {
        "row": batch.rows,
        "fold": Category(one, (split.fold,)),
        "phase": Category(one, (phase,)),
        "label": batch.target,
    }
    score = np.asarray(outputs["score"], dtype=np.float64)
    if score.ndim == 2:
        columns |= {f"score_{i}": np.ascontiguousarray(score[:, i]) for i in range(score.shape[1])}
    else:
        columns["score"] = score
    for role in _ROLES:
        name = split.schema.one(role)  # type: ignore[arg-type]
        if name and name in batch.raw:
            columns[role] = batch.raw[name]
    return to_arrow(columns)


def measure(components: Mapping[str, Any], predictions: list[Predictions], run: Run) -> Scores:
    """Measure every fold and phase by every metric."""
    entries: list[Score] = []
    chosen: dict[tuple[str, str], Any] = {}
    lower: dict[str, bool] = {}
    for part in (part for found in predictions for part in found.slices()):
        for label, metric in components.items():
            before = chosen.get((part.fold, label), {})
            measured = metric.measure(part, replace(run, label=label, chosen=before))
            for score in measured.entries:
                chosen[part.fold, label] = score.detail.get("operating_point") or chosen.get((part.fold, label), {})
                name = f"{label}.{score.metric}" if score.metric else label
                entries.append(replace(score, metric=name, fold=part.fold, phase=part.phase))
                lower[name] = bool(measured.lower_is_better.get(score.metric, metric.lower_is_better))
    return Scores(tuple(entries), lower)
