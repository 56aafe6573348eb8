"""Suites of the stages that release models: packagers, targets, writers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelway.component import param
from modelway.schema import Schema
from modelway.stages import Trainer
from modelway.testing.make import make_table
from modelway.testing.suite import ComponentSuite, rows_of, strict, unpickled
from modelway.values import Bundle, Category, Columns, Deployment, Model, ScoringModel

if TYPE_CHECKING:
    from modelway.context import Run
    from modelway.values import Split
    from modelway.values.artifact import Folder


@dataclass(frozen=True)
class ShareModel(Model):
    """A model for tests: the same share for every row, moved a little by its numbers."""

    share: float

    def predict(self, columns: Columns) -> dict[str, Any]:
        """Return one score per row."""
        import numpy as np

        numbers = [
            np.nan_to_num(column.astype(float)) for column in columns.values() if not isinstance(column, Category)
        ]
        return {"score": np.clip(self.share + 0.01 * sum(numbers), 0.0, 1.0)}

    def save(self, folder: Folder) -> None:
        """Write ``share.json``."""
        folder.put_json("share.json", {"share": self.share})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``share.json``."""
        return cls(**folder.get_json("share.json"))


@dataclass(frozen=True, kw_only=True)
class ShareTrainer(Trainer, name="share"):
    """A trainer for tests, of the model that gives every row one share."""

    model: ClassVar[type[Model]] = ShareModel
    tasks: ClassVar[tuple[str, ...]] = ("binary",)
    seeded: ClassVar[bool] = False
    share: float = param(0.25, "Share of every row.")

    def fit(self, split: Split, run: Run) -> Model:
        """Return the model; nothing is learnt."""
        return ShareModel(self.share)


def scoring_model() -> ScoringModel:
    """Return a small scoring model of three golden rows, for packagers."""
    schema = Schema.of({"columns": {"a": {"type": "number"}, "c": {"type": "category", "values": ["x", "y"]}}})
    trainer = ShareTrainer()
    model = ScoringModel(ShareModel(trainer.share), trainer, (), (), schema, "binary", (0, 1), about={"version": "1"})
    return model.with_golden([{"a": 1.0, "c": "x"}, {"a": None, "c": "y"}, {"a": 3.0, "c": None}])


class PackagerSuite(ComponentSuite):
    """Checks of a packager.

    Attributes:
        varying: Patterns of files whose bytes may differ between two bundles of one model, such as time stamps.
    """

    varying: ClassVar[tuple[str, ...]] = ()

    def model(self, folder: Path) -> ScoringModel:
        """Return the model to package."""
        return scoring_model()

    def golden(self, bundle: Bundle) -> Any:
        """Return the golden rows that a bundle holds; by default the ``golden`` of any JSON file in it."""
        for path in sorted(bundle.root.rglob("*.json")):
            body = json.loads(path.read_bytes())
            if isinstance(body, dict) and body.get("golden"):
                return body["golden"]["rows"]
        return []

    def bundle(self, folder: Path) -> tuple[Bundle, Any]:
        """Return a bundle, and the run that made it."""
        run = self.run(folder)
        bundle = self.make(folder).package(self.model(folder), run)
        assert isinstance(bundle, Bundle), f"package() returns {type(bundle).__name__}, not a Bundle"
        return bundle, run

    def test_writes_below_scratch_and_describes_itself(self, tmp_path: Path) -> None:
        """The engine commits what lies there, and clears up what is left."""
        bundle, run = self.bundle(tmp_path)
        assert bundle.root.is_dir(), "The bundle's root is no folder"
        assert bundle.root.resolve().is_relative_to(run.scratch.resolve()), "The bundle lies outside run.scratch"
        assert contents(bundle), "The bundle is empty"
        strict(bundle.about, "What describes the bundle")

    def test_holds_the_golden_rows(self, tmp_path: Path) -> None:
        """With them a bundle proves on its target that it scores as in training."""
        bundle, _ = self.bundle(tmp_path)
        expected = self.model(tmp_path).golden["rows"]
        assert self.golden(bundle) == expected, "The bundle does not hold the model's golden rows"

    def test_nothing_in_it_executes_when_read(self, tmp_path: Path) -> None:
        """A bundle is opened by machines that did not make it."""
        unpickled(contents(self.bundle(tmp_path)[0]))

    def test_can_be_moved(self, tmp_path: Path) -> None:
        """A bundle that names the folder where it was made runs nowhere else."""
        bundle, run = self.bundle(tmp_path)
        for name, data in contents(bundle).items():
            assert str(run.scratch).encode() not in data, f"'{name}' names the folder where the bundle was made"

    def test_the_same_model_gives_the_same_bundle(self, tmp_path: Path) -> None:
        """A bundle's digest is its version."""
        one, two = (contents(self.bundle(tmp_path / name)[0]) for name in ("one", "two"))
        assert one.keys() == two.keys(), "The same model gives other files the second time"
        for name, data in one.items():
            if not any(fnmatchcase(name, pattern) for pattern in self.varying):
                assert data == two[name], f"'{name}' differs between two bundles of one model"


def contents(bundle: Bundle) -> dict[str, bytes]:
    """Return the files of a bundle by name."""
    paths = sorted(path for path in bundle.root.rglob("*") if path.is_file())
    return {path.relative_to(bundle.root).as_posix(): path.read_bytes() for path in paths}


class TargetSuite(ComponentSuite):
    """Checks of a target; override ``bundle`` where it must hold something that runs, and ``stop`` to clear up."""

    def bundle(self, folder: Path, number: int) -> Bundle:
        """Return the first, second, ... bundle to deploy."""
        root = folder / "bundles" / str(number)
        root.mkdir(parents=True, exist_ok=True)
        (root / "model.json").write_text(json.dumps({"number": number}))
        return Bundle(root, {"name": "test", "digest": f"{number:064x}"})

    def stop(self, target: Any, run: Any) -> None:
        """Stop what was started."""

    def test_runs_what_was_deployed_last_and_returns_to_what_was_before(self, tmp_path: Path) -> None:
        """Rollback is asked for when there is no time to find out what it does."""
        target, run = self.make(tmp_path), self.run(tmp_path)
        try:
            assert target.current(run) is None, "Something runs before anything was deployed"
            first = target.deploy(self.bundle(tmp_path, 1), run)
            assert isinstance(first, Deployment), f"deploy() returns {type(first).__name__}, not a Deployment"
            assert _same(target.current(run), first), "After deploy() current() is another bundle"
            second = target.deploy(self.bundle(tmp_path, 2), run)
            assert not _same(second, first), "Two bundles have one identity"
            assert _same(target.current(run), second), "After the second deploy() current() is not the second"
            back = target.rollback(first, run)
            assert _same(back, first), "rollback() returns another bundle than it was asked for"
            assert _same(target.current(run), first), "After rollback() current() is not the earlier bundle"
            for deployment in (first, second, back):
                strict(asdict(deployment), "The deployment")
        finally:
            self.stop(target, run)

    def test_deploying_what_runs_changes_nothing(self, tmp_path: Path) -> None:
        """A command that is repeated after a lost connection does no harm."""
        target, run = self.make(tmp_path), self.run(tmp_path)
        try:
            first = target.deploy(self.bundle(tmp_path, 1), run)
            again = target.deploy(self.bundle(tmp_path, 1), run)
            assert _same(first, again), "The same bundle deployed again is another"
            assert _same(target.current(run), first), "After deploying it again current() is another bundle"
        finally:
            self.stop(target, run)

    def test_keeps_the_bundle_when_the_scratch_folder_is_gone(self, tmp_path: Path) -> None:
        """A command that asks later, in another process, must find what runs."""
        target, run = self.make(tmp_path), self.run(tmp_path)
        try:
            first = target.deploy(self.bundle(tmp_path, 1), run)
            elsewhere = tmp_path / "another"
            elsewhere.mkdir()
            found = self.built(tmp_path).current(replace(run, id="later", scratch=elsewhere))
            assert _same(found, first), "Another run does not find what was deployed"
        finally:
            self.stop(target, run)


def _same(a: Deployment | None, b: Deployment) -> bool:
    return a is not None and bool(a.bundle) and a.bundle == b.bundle


class WriterSuite(ComponentSuite):
    """Checks of a writer; override ``read`` so that the suite can see what was written."""

    def sample(self) -> Mapping[str, Any]:
        """Return the columns of the predictions."""
        return {"row": [0, 1, 2, 3, 4], "id": ["a", "b", "c", "d", "e"], "score": [0.1, 0.2, 0.3, 0.4, 1.0]}

    def read(self, where: str, run: Any) -> Mapping[str, list[Any]] | None:
        """Return the columns that lie at the place that ``write`` named, or None where it cannot be told."""
        return None

    def _written(self, folder: Path, parts: int) -> tuple[str, Mapping[str, list[Any]] | None]:
        run = self.run(folder)
        table = make_table(run, self.sample(), parts)
        where = self.make(folder).write(table, run)
        assert isinstance(where, str), f"write() returns {type(where).__name__}, not the place as text"
        assert where, "write() does not say where the predictions are"
        assert rows_of(table) == {k: list(v) for k, v in self.sample().items()}, "write() changes the predictions"
        return where, self.read(where, run)

    def test_every_row_arrives_however_the_table_is_cut(self, tmp_path: Path) -> None:
        """A batch that loses rows is found out by its customers."""
        for parts in (1, 3):
            _, found = self._written(tmp_path / str(parts), parts)
            if found is not None:
                for name, column in self.sample().items():
                    assert list(found.get(name, [])) == list(column), f"Column '{name}' arrives as {found.get(name)}"

    def test_writing_again_leaves_the_rows_once(self, tmp_path: Path) -> None:
        """A batch that is repeated after a failure must not count twice."""
        first, _ = self._written(tmp_path, 2)
        second, found = self._written(tmp_path, 2)
        if found is not None and first == second:
            rows, wanted = (len(next(iter(columns.values()))) for columns in (found, self.sample()))
            assert rows == wanted, f"Written twice, {wanted} rows are {rows}"
