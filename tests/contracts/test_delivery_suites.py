"""Suites of packagers, targets and writers: a tiny good component passes, rude ones are caught."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from modelway import Bundle, Deployment, Directory, Packager, Run, ScoringModel, Table, Target, Writer, param
from modelway.testing import PackagerSuite, TargetSuite, WriterSuite

_COUNTER = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Folded(Packager, name="folded"):
    """A folder with the scoring model."""

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        root = run.scratch / "bundle"
        model.save(Directory(root))
        self.add(root, run)
        return Bundle(root, {"name": "test"})

    def add(self, root: Path, run: Run) -> None:
        """Add nothing."""


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Folded, name="elsewhere"):
    """Writes outside the scratch folder."""

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        return super().package(model, replace(run, scratch=run.workspace))


@dataclass(frozen=True, kw_only=True)
class Ungilded(Folded, name="ungilded"):
    """Leaves the golden rows out."""

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        return super().package(replace(model, golden={}), run)


@dataclass(frozen=True, kw_only=True)
class WithPickle(Folded, name="with_pickle"):
    """Adds a pickle."""

    def add(self, root: Path, run: Run) -> None:
        (root / "more.bin").write_bytes(pickle.dumps({"a": 1}))


@dataclass(frozen=True, kw_only=True)
class Rooted(Folded, name="rooted"):
    """Remembers where it was made."""

    def add(self, root: Path, run: Run) -> None:
        (root / "start.sh").write_text(f"cd {root}\n")


@dataclass(frozen=True, kw_only=True)
class Stamped(Folded, name="stamped"):
    """Is another each time."""

    def add(self, root: Path, run: Run) -> None:
        (root / "stamp.txt").write_text(str(next(_COUNTER)))


class TestFolded(PackagerSuite):
    component = Folded()


class TestStampedWhereThatIsSaid(PackagerSuite):
    component = Stamped()
    varying = ("stamp.txt",)


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Elsewhere(), "test_writes_below_scratch_and_describes_itself"),
        (Ungilded(), "test_holds_the_golden_rows"),
        (WithPickle(), "test_nothing_in_it_executes_when_read"),
        (Rooted(), "test_can_be_moved"),
        (Stamped(), "test_the_same_model_gives_the_same_bundle"),
    ],
)
def test_a_rude_packager_is_caught(caught: Any, component: Packager, rule: str) -> None:
    assert caught(PackagerSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Shelf(Target, name="shelf"):
    """Copies bundles into a folder, and notes the one that runs."""

    folder: str = param("shelf", "Folder.")

    def deploy(self, bundle: Bundle, run: Run) -> Deployment:
        made = Deployment("shelf", str(bundle.about["digest"]), since="2024-01-01T00:00:00Z")
        shutil.copytree(bundle.root, run.path(self.folder) / made.bundle, dirs_exist_ok=True)
        return self.note(made, run)

    def note(self, deployment: Deployment, run: Run) -> Deployment:
        (run.path(self.folder) / "current.json").write_text(json.dumps(vars(deployment)))
        return deployment

    def current(self, run: Run) -> Deployment | None:
        place = run.path(self.folder) / "current.json"
        return Deployment(**json.loads(place.read_text())) if place.exists() else None

    def rollback(self, to: Deployment, run: Run) -> Deployment:
        return self.note(to, run)


@dataclass(frozen=True, kw_only=True)
class Sticky(Shelf, name="sticky"):
    """Does not roll back."""

    def rollback(self, to: Deployment, run: Run) -> Deployment:
        return to


@dataclass(frozen=True, kw_only=True)
class Counting(Shelf, name="counting"):
    """Makes another deployment of the same bundle."""

    def deploy(self, bundle: Bundle, run: Run) -> Deployment:
        again = Bundle(bundle.root, {"digest": f"{bundle.about['digest']}-{next(_COUNTER)}"})
        return super().deploy(again, run)


@dataclass(frozen=True, kw_only=True)
class Fleeting(Shelf, name="fleeting"):
    """Keeps its notes in the scratch folder."""

    def deploy(self, bundle: Bundle, run: Run) -> Deployment:
        return super().deploy(bundle, replace(run, workspace=run.scratch))

    def note(self, deployment: Deployment, run: Run) -> Deployment:
        return super().note(deployment, replace(run, workspace=run.scratch))

    def current(self, run: Run) -> Deployment | None:
        return super().current(replace(run, workspace=run.scratch))


class TestShelf(TargetSuite):
    component = Shelf()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Sticky(), "test_runs_what_was_deployed_last_and_returns_to_what_was_before"),
        (Counting(), "test_deploying_what_runs_changes_nothing"),
        (Fleeting(), "test_keeps_the_bundle_when_the_scratch_folder_is_gone"),
    ],
)
def test_a_rude_target_is_caught(caught: Any, component: Target, rule: str) -> None:
    assert caught(TargetSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Json(Writer, name="json"):
    """Writes rows as JSON."""

    path: str = param("out.json", "File.")

    def write(self, predictions: Table, run: Run) -> str:
        rows = self.rows(predictions, run)
        run.path(self.path).write_text(json.dumps(rows))
        return self.path

    def rows(self, predictions: Table, run: Run) -> dict[str, list[Any]]:
        return predictions.arrow().to_pydict()  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class FirstPart(Json, name="first_part"):
    """Writes the first part alone."""

    def rows(self, predictions: Table, run: Run) -> dict[str, list[Any]]:
        return super().rows(predictions.only(predictions.parts[:1]), run)


@dataclass(frozen=True, kw_only=True)
class Appending(Json, name="appending"):
    """Adds to what lies there."""

    def rows(self, predictions: Table, run: Run) -> dict[str, list[Any]]:
        place = run.path(self.path)
        old = json.loads(place.read_text()) if place.exists() else {}
        return {name: old.get(name, []) + column for name, column in super().rows(predictions, run).items()}


@dataclass(frozen=True, kw_only=True)
class Secretive(Json, name="secretive"):
    """Does not say where the rows are."""

    def write(self, predictions: Table, run: Run) -> str:
        super().write(predictions, run)
        return ""


class JsonSuite(WriterSuite):
    __test__ = False
    component = Json()

    def read(self, where: str, run: Any) -> Mapping[str, list[Any]] | None:
        return json.loads(run.path(where).read_text())  # type: ignore[no-any-return]


class TestJson(JsonSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (FirstPart(), "test_every_row_arrives_however_the_table_is_cut"),
        (Appending(), "test_writing_again_leaves_the_rows_once"),
        (Secretive(), "test_every_row_arrives_however_the_table_is_cut"),
    ],
)
def test_a_rude_writer_is_caught(caught: Any, component: Writer, rule: str) -> None:
    assert caught(JsonSuite, rule, component=component) == {rule}
