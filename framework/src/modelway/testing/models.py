"""Suites of the stages that fit and judge models: trainers, metrics, gates."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from modelway.schema import Task
from modelway.testing.make import make_table
from modelway.testing.suite import ComponentSuite, NoBlobs, agree, answer, freeze, refused, saved, strict, unpickled
from modelway.values import PHASES, Columns, Directory, Model, Predictions, Reason, Score, Scores, Split, take

_TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"type": "integer", "values": [0, 1]},
    "multiclass": {"type": "integer", "values": [0, 1, 2]},
    "regression": {"type": "number"},
}


class TrainerSuite(ComponentSuite):
    """Checks of a trainer, on a small sample for each of its tasks; override ``sample`` for other columns."""

    def sample(self, task: Task) -> dict[str, Any]:
        """Return feature columns and the target ``y`` for a task, 120 rows in random order."""
        import numpy as np

        rng = np.random.default_rng(3)
        columns: dict[str, Any] = {f"x{i}": rng.normal(size=120) for i in range(3)}
        signal = columns["x0"] - 0.5 * columns["x1"] + rng.normal(scale=0.3, size=120)
        ranks = signal.argsort().argsort()
        columns["y"] = {"regression": signal, "binary": ranks // 60, "multiclass": ranks // 40}[task]
        return columns

    def schema_of(self, task: Task) -> Mapping[str, Any]:
        """Return the declared schema for a task."""
        columns: dict[str, Any] = {name: {"type": "number"} for name in self.sample(task) if name != "y"}
        return {"columns": {**columns, "y": {"role": "target", **_TARGETS[task]}}}

    def split(
        self, folder: Path, task: Task, columns: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[Split, Any]:
        """Return a split of the sample, and the run: of each five rows three train, one validates, one tests."""
        import numpy as np

        run = self.run(folder, schema=self.schema_of(task), task=task, **more)
        columns = self.sample(task) if columns is None else columns
        table = make_table(run, columns, parts=2)
        codes = np.asarray([PHASES[phase] for phase in ("train", "valid", "train", "test", "train")])
        return Split.of(table, {"only": codes[np.arange(table.rows) % 5]}, run), run

    def fitted(self, folder: Path, task: Task, component: Any = None, **more: Any) -> Model:
        """Return a model of the sample."""
        split, run = self.split(folder, task, **more)
        model = (component or self.make(folder)).fit(split, run)
        assert isinstance(model, Model), f"fit() returns {type(model).__name__}, not a Model"
        return model

    def features(self, folder: Path, task: Task) -> Columns:
        """Return the feature columns of the test rows."""
        split, _ = self.split(folder, task)
        return next(split.batches("test")).features

    def test_says_what_it_trains(self, tmp_path: Path) -> None:
        """A model is loaded through the class that its trainer names."""
        component = self.make(tmp_path)
        assert component.tasks, "The trainer names no task"
        assert set(component.tasks) <= set(_TARGETS), f"The trainer names tasks {component.tasks}"
        for task in component.tasks:
            model = self.fitted(tmp_path, task)
            assert type(model) is component.model, f"fit() returns {type(model).__name__}, and 'model' says otherwise"
            strict(model.facts(), "What facts() returns")

    def test_the_same_rows_give_the_same_bytes(self, tmp_path: Path) -> None:
        """A result that cannot be repeated cannot be shared, compared or audited."""
        for task in self.make(tmp_path).tasks:
            one, two = (saved(self.fitted(tmp_path, task), tmp_path / task / name) for name in ("one", "two"))
            assert one == two, f"The same {task} rows give another model the second time"
            assert one, "save() writes no file"

    def test_a_model_that_is_kept_predicts_alike(self, tmp_path: Path) -> None:
        """The service loads what training saved."""
        for task in self.make(tmp_path).tasks:
            model, columns = self.fitted(tmp_path, task), self.features(tmp_path, task)
            saved(model, tmp_path / task)
            again = type(model).load(Directory(tmp_path / task))
            a, b = model.predict(columns), again.predict(columns)
            assert a.keys() == b.keys(), f"A loaded model has outputs {list(b)}, not {list(a)}"
            for name in a:
                assert agree(a[name].tolist(), b[name].tolist(), 0.0), f"A loaded model gives another '{name}'"

    def test_nothing_that_is_kept_executes_when_read(self, tmp_path: Path) -> None:
        """No pickle crosses a trust boundary."""
        for task in self.make(tmp_path).tasks:
            unpickled(saved(self.fitted(tmp_path, task), tmp_path / task))

    def test_scores_have_the_shape_and_range_of_the_task(self, tmp_path: Path) -> None:
        """Metrics, gates and requests rely on it."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            columns = self.features(tmp_path, task)
            score = self.fitted(tmp_path, task).predict(columns)["score"]
            shape = (24, 3) if task == "multiclass" else (24,)
            rows = len(next(iter(columns.values())))
            assert score.shape == (rows, *shape[1:]), f"The {task} score has shape {score.shape} for {rows} rows"
            assert np.isfinite(score).all(), f"The {task} score is not finite"
            if task != "regression":
                assert ((score >= 0) & (score <= 1)).all(), f"The {task} score is no probability"
            if task == "multiclass":
                assert np.abs(score.sum(axis=1) - 1).max() < 1e-5, "The classes' probabilities do not add up to 1"

    def test_one_request_is_scored_as_in_a_batch(self, tmp_path: Path) -> None:
        """Whatever came along with a row, and in which order its fields stand, cannot change its score."""
        for task in self.make(tmp_path).tasks:
            model, columns = self.fitted(tmp_path, task), freeze(self.features(tmp_path, task))
            whole = model.predict(columns)["score"]
            turned = model.predict(dict(reversed(columns.items())))["score"]
            assert agree(whole.tolist(), turned.tolist(), 0.0), "The order of the columns changes the score"
            for row in range(3):
                alone = model.predict(take(columns, slice(row, row + 1)))["score"][0]
                assert agree(alone.tolist(), whole[row].tolist(), 1e-6), f"Row {row} alone has another score"

    def test_test_rows_do_not_touch_the_model(self, tmp_path: Path) -> None:
        """A model that saw the test rows is worse than its scores say."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            changed = {name: np.array(column) for name, column in self.sample(task).items()}
            for name, column in changed.items():
                rows = np.arange(len(column)) % 5 == 3
                column[rows] = column[rows][::-1] if name == "y" or column.dtype.kind not in "f" else 1e3
            one = saved(self.fitted(tmp_path, task), tmp_path / task / "one")
            two = saved(self.fitted(tmp_path, task, columns=changed), tmp_path / task / "two")
            assert one == two, f"Other test rows give another {task} model"

    def test_training_rows_of_one_class_are_refused(self, tmp_path: Path) -> None:
        """The user is told, instead of getting a model that knows one answer."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            if task == "regression":
                continue
            columns = {**self.sample(task), "y": np.zeros(120, dtype=int)}
            split, run = self.split(tmp_path, task, columns)
            told = refused(self.make(tmp_path).fit, split, run)
            assert told, f"fit() of {task} rows that are all of one class raises no DataError"

    def test_says_whether_the_seed_matters(self, tmp_path: Path) -> None:
        """The seed enters the fingerprint only where the component says that it is used."""
        if self.make(tmp_path).seeded:
            return
        for task in self.make(tmp_path).tasks:
            one, two = (saved(self.fitted(tmp_path, task, seed=n), tmp_path / task / str(n)) for n in (1, 2))
            assert one == two, "It uses the seed: seeded = True"

    def test_knobs_do_not_change_the_model(self, tmp_path: Path) -> None:
        """Knobs stay outside the fingerprint."""
        if not self.knobs:
            return
        for task in self.make(tmp_path).tasks:
            one = saved(self.fitted(tmp_path, task), tmp_path / task / "one")
            other = replace(self.make(tmp_path), **self.knobs)
            two = saved(self.fitted(tmp_path, task, component=other), tmp_path / task / "two")
            assert one == two, f"{dict(self.knobs)} changes the {task} model"


class MetricSuite(ComponentSuite):
    """Checks of a metric, on predictions for each of its tasks."""

    def predictions(self, folder: Path, task: Task, **columns: Any) -> Predictions:
        """Return 80 predictions of one fold and phase; ``columns`` replace or add some."""
        import numpy as np

        rng = np.random.default_rng(11)
        rows = 80
        classes: tuple[int, ...] = {"binary": (0, 1), "multiclass": (0, 1, 2), "regression": ()}[task]
        made: dict[str, Any] = {"row": np.arange(rows)}
        if task == "regression":
            made["label"] = rng.normal(10.0, 3.0, rows)
            made["score"] = made["label"] + rng.normal(size=rows)
        else:
            made["label"] = (rng.permutation(rows) % len(classes)).astype(float)
            odds = rng.random((rows, len(classes))) + np.eye(len(classes))[made["label"].astype(int)]
            odds /= odds.sum(axis=1, keepdims=True)
            names = ["score"] if task == "binary" else [f"score_{i}" for i in range(len(classes))]
            made |= dict(zip(names, odds.T[-len(names) :].copy(), strict=True))
        made |= {"amount": rng.gamma(2.0, 50.0, rows), **columns}
        table = make_table(self.run(folder), made)
        return Predictions(table, task, classes, "only", "test", freeze(made))

    def scores(self, folder: Path, predictions: Predictions, seed: int = 0) -> Scores:
        """Return what the metric measures."""
        found = self.make(folder).measure(predictions, self.run(folder, task=predictions.task, seed=seed))
        assert isinstance(found, Scores), f"measure() returns {type(found).__name__}, not Scores"
        return found

    def test_scores_are_finite_or_none_and_can_be_kept(self, tmp_path: Path) -> None:
        """A NaN compares false with every bound, and is not JSON."""
        for task in self.make(tmp_path).tasks:
            found = self.scores(tmp_path, self.predictions(tmp_path, task))
            assert found.entries, "measure() gives no score"
            assert len({entry.metric for entry in found.entries}) == len(found.entries), "Two scores have one name"
            files = saved(found, tmp_path / task)
            assert Scores.load(Directory(tmp_path / task)).entries, "The scores do not come back"
            for entry in found.entries:
                for name in ("value", "low", "high"):
                    strict(getattr(entry, name), f"'{name}' of {entry.metric or 'the score'}")
            assert b"NaN" not in files["scores.json"], "A detail of the scores is not a number"
            assert b"Infinity" not in files["scores.json"], "A detail of the scores is infinite"

    def test_the_order_of_rows_changes_nothing(self, tmp_path: Path) -> None:
        """A metric of a set of rows cannot depend on how they are sorted."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            predictions = self.predictions(tmp_path, task)
            turned = take(predictions.columns, np.random.default_rng(1).permutation(80))
            a = self.scores(tmp_path, predictions)
            b = self.scores(tmp_path, replace(predictions, columns=turned))
            assert agree(_values(a), _values(b), 1e-12), f"{_values(b)} in another order, and {_values(a)} before"

    def test_measuring_twice_gives_the_same(self, tmp_path: Path) -> None:
        """Intervals are drawn with the run's seed, and come out alike."""
        for task in self.make(tmp_path).tasks:
            predictions = self.predictions(tmp_path, task)
            one, two = self.scores(tmp_path, predictions, seed=4), self.scores(tmp_path, predictions, seed=4)
            assert saved(one, tmp_path / task / "1") == saved(two, tmp_path / task / "2"), "Other scores each time"
            if not self.make(tmp_path).seeded:
                other = self.scores(tmp_path, predictions, seed=5)
                assert saved(one, tmp_path / task / "1") == saved(other, tmp_path / task / "3"), "It uses the seed"

    def test_equal_weights_change_nothing(self, tmp_path: Path) -> None:
        """Weights are relative to one another."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            plain = self.scores(tmp_path, self.predictions(tmp_path, task))
            weighted = self.scores(tmp_path, self.predictions(tmp_path, task, weight=np.ones(80)))
            assert agree(_values(plain), _values(weighted), 1e-12), "Weights of one change the score"

    def test_a_slice_of_one_class_is_answered(self, tmp_path: Path) -> None:
        """A small fold may hold one class: the metric then says None, or refuses, and does not crash."""
        import numpy as np

        for task in self.make(tmp_path).tasks:
            predictions = self.predictions(tmp_path, task, label=np.zeros(80))
            found = answer(self.scores, tmp_path, predictions)
            if found is not None:
                strict(_values(found), "What is measured on one class")


def _values(scores: Scores) -> dict[str, float | None]:
    return {entry.metric: entry.value for entry in scores.entries}


class GateSuite(ComponentSuite):
    """Checks of a gate; override ``scores`` with some that pass it."""

    def scores(self) -> Scores:
        """Return scores that pass."""
        raise NotImplementedError(f"{type(self).__name__} needs scores() that pass the gate")

    def champion(self) -> Scores:
        """Return the champion's scores on the same rows."""
        return self.scores()

    def decide(self, folder: Path, scores: Scores, champion: Scores | None) -> Reason:
        """Decide, with nothing but the arguments within reach."""
        run = replace(self.run(folder), blobs=NoBlobs())
        before = copy.deepcopy((scores, champion))
        found = self.make(folder).decide(scores, champion, run)
        assert isinstance(found, Reason), f"decide() returns {type(found).__name__}, not a Reason"
        assert (scores, champion) == before, "decide() changes the scores"
        assert not list(run.scratch.iterdir()), "decide() writes files, and must be pure"
        return found

    def test_decides_the_same_each_time(self, tmp_path: Path) -> None:
        """A verdict that cannot be repeated cannot be defended."""
        for champion in (None, self.champion()):
            one, two = (self.decide(tmp_path, self.scores(), champion) for _ in range(2))
            assert one == two, "The same scores give another verdict"

    def test_passes_good_scores_and_says_why(self, tmp_path: Path) -> None:
        """The sentence is what people read in the listing and in the audit."""
        for champion in (None, self.champion()):
            found = self.decide(tmp_path, self.scores(), champion)
            assert found.passed is True, f"Good scores do not pass: {found.text}"
            assert found.text, "The verdict gives no reason"
            strict(asdict(found), "The reason")

    def test_a_value_that_was_not_measured_never_passes(self, tmp_path: Path) -> None:
        """A gate that passes what nobody measured is no gate."""
        unknown = replace(self.scores(), entries=tuple(_unmeasured(entry) for entry in self.scores().entries))
        for scores in (Scores(), unknown):
            found = answer(self.decide, tmp_path, scores, self.champion())
            if found is not None:
                assert found.passed is False, f"Without a measured value it passes: {found.text}"


def _unmeasured(score: Score) -> Score:
    return replace(score, value=None, low=None, high=None)
