"""The run: tables are written whole, random numbers come out alike, files are named as the user named them."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelway import DataError, Run, context
from modelway.errors import StoreError
from modelway.testing import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def test_rows_arrive_in_order_whatever_the_size_of_batch_and_part(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "PART_ROWS", 10)
    table = run.table({"a": np.arange(start, start + n)} for start, n in [(0, 3), (3, 0), (3, 24), (27, 1)])
    assert table.read()["a"].tolist() == list(range(28))
    assert [part.rows for part in table.parts] == [10, 10, 8]
    assert table.rows == 28


def test_every_form_of_rows_makes_the_same_table(run: Run) -> None:
    arrow = pa.table({"a": [1.0, 2.0], "b": [3, 4]})
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    forms: list[Any] = [arrow, arrow.to_batches()[0], frame, {"a": np.array([1.0, 2.0]), "b": np.array([3, 4])}]
    made = [run.table([form]) for form in forms]
    assert all(table == made[0] for table in made)


def test_later_batches_may_order_their_columns_otherwise(run: Run) -> None:
    table = run.table([pa.table({"a": [1], "b": ["x"]}), pa.table({"b": ["y"], "a": [2]})])
    assert table.arrow().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"a": [1]}, "Batch 2 has other columns than the first: 'name' is in one only"),
        ({"a": [1], "nmae": ["x"]}, "'name' is in one only.*Did you mean 'nmae'"),
        ({"a": [1], "name": ["x"], "more": [1]}, "'more' is in one only"),
        ({"a": ["one"], "name": ["x"]}, "Column 'a' of batch 2 is string, and was int64 in the first"),
        ({"a": [1.5], "name": ["x"]}, "Column 'a' of batch 2 is double, and was int64 in the first"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_by_column(run: Run, second: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run.table([pa.table({"a": [1], "name": ["x"]}), pa.table(second)])


@pytest.mark.parametrize(("first", "later", "expected"), [
    ([1, 2], [3.0, np.nan], [1, 2, 3, None]),
    ([True, False], [1.0, np.nan], [True, False, True, None]),
])  # fmt: skip
def test_whole_numbers_and_booleans_may_be_missing_in_a_later_batch(
    run: Run, first: list[Any], later: list[Any], expected: list[Any]
) -> None:
    table = run.table([{"a": np.array(first)}, {"a": np.array(later)}])
    assert table.arrow().to_pydict()["a"] == expected


def test_no_batch_at_all_is_refused_and_no_row_is_a_table(run: Run) -> None:
    with pytest.raises(DataError, match="There are no rows"):
        run.table([])
    empty = run.table([pa.table({"a": pa.array([], pa.int64())})])
    assert (empty.rows, empty.names, len(empty.parts)) == (0, ("a",), 1)
    assert empty.arrow().schema.types == [pa.int64()]


def test_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    tables = [make_run(tmp_path / name).table([{"a": np.arange(5.0)}]) for name in ("one", "two")]
    assert tables[0] == tables[1]


def test_a_parquet_file_is_kept_as_it_is(run: Run, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "a.parquet")
    part = run.keep(tmp_path / "a.parquet")
    assert (part.rows, part.digest) == (3, run.digest(tmp_path / "a.parquet"))
    assert run.blobs.open(part.digest).read_bytes() == (tmp_path / "a.parquet").read_bytes()


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", None], ids=["empty", "not parquet", "cut short"])
def test_a_file_that_is_no_parquet_is_named(run: Run, tmp_path: Path, data: bytes | None) -> None:
    place = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), place)
    place.write_bytes(place.read_bytes()[:-20] if data is None else data)
    with pytest.raises(DataError, match="not parquet, or is cut short") as told:
        run.keep(place)
    assert told.value.where == str(place)


def test_random_numbers_follow_seed_and_names_alone(tmp_path: Path) -> None:
    one, two = make_run(tmp_path, seed=1), make_run(tmp_path, seed=2)
    assert one.rng("split", 0).random() == one.rng("split", 0).random()
    assert len({one.rng("split").random(), one.rng("boot").random(), two.rng("split").random()}) == 3


def test_paths_start_from_the_workspace_wherever_the_command_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run.path("data/a.csv") == (tmp_path / "data/a.csv").resolve()
    assert run.path(str(tmp_path / "b.csv")) == (tmp_path / "b.csv").resolve()
    assert run.path("~/c.csv") == (tmp_path / "home/c.csv").resolve()


def test_a_run_travels_to_workers(run: Run) -> None:
    table = run.table([{"a": np.arange(3)}])
    again = pickle.loads(pickle.dumps(run))
    assert again.table([{"a": np.arange(3)}]) == table


def test_what_is_logged_and_reported_arrives_and_a_report_may_stop_training(tmp_path: Path) -> None:
    told: list[Any] = []
    run = make_run(
        tmp_path,
        on_log=lambda *args: told.append(args),
        on_report=lambda number, scores: number < 2,
        on_progress=lambda *args: told.append(args),
    )
    run.log("best", 3)
    run.progress("parts", 1, 9)
    assert told == [("best", 3), ("parts", 1, 9)]
    assert [run.report(number, {"loss": 0.1}) for number in (1, 2)] == [True, False]
    assert make_run(tmp_path).report(1, {}) is True, "where nobody listens, training goes on"


def test_what_is_remembered_stays_behind_when_a_run_goes_to_a_worker(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.recall("a") is None
    run.remember("a", [1])
    assert run.recall("a") == [1]
    assert pickle.loads(pickle.dumps(run)).recall("a") is None


@pytest.mark.faults
def test_a_scratch_disk_that_is_full_is_explained(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("A small file system cannot be mounted here")
    try:
        run = make_run(tmp_path)
        run.scratch = place
        noise = np.random.default_rng(1)
        with pytest.raises(StoreError, match="A table cannot be written.*Free some space"):
            run.table({"a": noise.random(100_000)} for _ in range(5))
        assert list(place.iterdir()) == [], "the half table stays on the full disk"
    finally:
        subprocess.run(["umount", place], check=True)
