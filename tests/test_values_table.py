"""Tables: parts are read in order, changed part by part, and refuse what they cannot give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import Columns, DataError, Directory, RowPreparer, Run, Table
from modelway.errors import StoreError
from modelway.testing import make_run, make_table


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


@given(rows=st.integers(0, 40), parts=st.integers(1, 6), batch=st.integers(1, 50))
def test_no_row_is_lost_or_moved_by_parts_and_batches(
    tmp_path_factory: pytest.TempPathFactory, rows: int, parts: int, batch: int
) -> None:
    table = make_table(make_run(tmp_path_factory.mktemp("t")), {"a": np.arange(rows)}, parts)
    seen = [found["a"].tolist() for found in table.batches(batch=batch)]  # type: ignore[union-attr]
    assert [item for found in seen for item in found] == list(range(rows))
    assert all(len(found) <= batch for found in seen)
    assert table.rows == rows


def test_columns_come_in_the_order_asked_for(run: Run) -> None:
    table = make_table(run, {"a": [1], "b": [2], "c": [3]})
    assert table.arrow(["c", "a", "c"]).column_names == ["c", "a"]
    assert list(table.read(["b"])) == ["b"]


def test_an_absent_column_is_named_with_the_nearest(run: Run) -> None:
    with pytest.raises(DataError, match="no column 'heigth'.*Did you mean 'height'"):
        make_table(run, {"height": [1]}).read(["heigth"])


def test_a_part_that_lacks_a_column_or_has_another_type_is_refused(run: Run) -> None:
    one, two, three = (make_table(run, columns) for columns in ({"a": [1.0]}, {"b": [1.0]}, {"a": ["x"]}))
    with pytest.raises(DataError, match="part of the table has no column 'a'"):
        Table(one.columns, one.parts + two.parts, run.blobs).read()
    with pytest.raises(DataError, match="do not fit together.*a has incompatible types"):
        Table(one.columns, one.parts + three.parts, run.blobs).read()


def test_a_part_that_is_no_parquet_is_refused(run: Run, tmp_path: Path) -> None:
    from modelway import Part

    (tmp_path / "x").write_bytes(b"PAR1 and nothing else PAR1")
    digest, size = run.blobs.put_file(tmp_path / "x")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        Table((("a", "int64"),), (Part(digest, 1, size),), run.blobs).read()


def test_a_part_whose_bytes_changed_is_never_read(run: Run, tmp_path: Path) -> None:
    table = make_table(run, {"a": [1, 2]})
    digest = table.parts[0].digest
    (tmp_path / "store" / "objects" / digest[:2] / digest).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="corrupt"):
        Table(table.columns, table.parts, make_run(tmp_path).blobs).read()


def test_changing_a_table_keeps_parts_and_survives_a_part_left_empty(run: Run) -> None:
    table = make_table(
        run, {"a": [1.0, 2.0, 3.0, 4.0], "t": pa.array([1, 2, 3, 4], pa.timestamp("us", "UTC"))}, parts=2
    )
    late = table.map(lambda batch: batch.filter(pc.greater(batch["a"], 2.0)), run)
    twice = late.map(lambda batch: batch.append_column("b", pc.multiply(batch["a"], 2)), run)
    assert [part.rows for part in twice.parts] == [0, 2]
    assert twice.arrow(["b"]).to_pydict() == {"b": [6.0, 8.0]}
    assert twice.names == ("a", "t", "b")


class Twice(RowPreparer, name="twice"):
    """Doubles a column."""

    def apply(self, columns: Columns) -> Columns:
        return {"twice": columns["a"] * 2.0, **columns}  # type: ignore[dict-item, operator]


def test_a_row_step_leaves_the_types_of_other_columns_alone(run: Run) -> None:
    rows = 70_000  # more than one batch, and the missing value is in the second
    columns: dict[str, Any] = {
        "a": pa.array([1.0] * rows),
        "count": pa.array([7] * (rows - 1) + [None], pa.int32()),
        "flag": pa.array([True] * (rows - 1) + [None]),
        "when": pa.array([1] * rows, pa.timestamp("us", "UTC")),
        "word": pa.array(["x"] * rows),
    }
    made = Twice().prepare({"table": make_table(run, columns)}, run)
    assert made.names == ("twice", *columns)
    assert made.arrow(list(columns)).equals(pa.table(columns))


def test_a_table_is_kept_and_read_back(run: Run, tmp_path: Path) -> None:
    table = Table(*_facts(make_table(run, {"a": [1, 2, 3]}, parts=2)), about={"source": "x"})
    folder = Directory(tmp_path / "folder")
    folder.blobs = run.blobs
    table.save(folder)
    again = Table.load(folder)
    assert again == table
    assert again.about == {"source": "x"}
    assert again.read()["a"].tolist() == [1, 2, 3]  # type: ignore[union-attr]


def _facts(table: Table) -> tuple[Any, Any, Any]:
    return table.columns, table.parts, table.blobs
