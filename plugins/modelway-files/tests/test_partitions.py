from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelway_files.partition import Partition
from modelway_files.source import Files

from modelway import ConfigError, ModelwayError, Run
from modelway.testing import make_run

DAYS = ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]
HIVE = "data/day={day}/*.parquet"


def lay(folder: Path, days: list[str] = DAYS) -> None:
    for day in days:
        (folder / f"data/day={day}").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [int(day[-2:])]}), folder / f"data/day={day}/part.parquet")
        (folder / f"data/day={day}/_SUCCESS").write_text("")
        (folder / f"tx-{day}.csv").write_text(f"x\n{int(day[-2:])}\n")


class Told:
    """A run that says what it read."""

    def __init__(self, folder: Path, columns: dict[str, Any] | None = None) -> None:
        self.logged: dict[str, Any] = {}
        self.run: Run = make_run(folder, schema={"columns": columns or {}}, on_log=self.logged.__setitem__)

    def load(self, path: Any, **more: Any) -> dict[str, list[Any]]:
        return Files(path=path, **more).load(self.run).arrow().to_pydict()


@pytest.mark.parametrize("path", [HIVE, "tx-{day}.csv", "data/day={day}/part.parquet"])
@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, [30, 31, 1, 2]),
        ("2026-01-31", "2026-02-01", [31, 1]),
        ("2026-02", None, [1, 2]),
        (None, "2026-01", [30, 31]),
        ("2026", "2026", [30, 31, 1, 2]),
        (2026, 2026, [30, 31, 1, 2]),
    ],
)
def test_a_range_takes_its_days_and_no_other(
    tmp_path: Path, path: str, since: Any, until: Any, expected: list[int]
) -> None:
    lay(tmp_path)
    assert Told(tmp_path).load(path, since=since, until=until)["x"] == expected


@pytest.mark.parametrize("path", [HIVE, "tx-{day}.csv"])
def test_a_longer_range_reads_the_new_days_only(tmp_path: Path, path: str) -> None:
    lay(tmp_path)
    told = Told(tmp_path)
    first = Files(path=path, since=DAYS[0], until=DAYS[1]).load(told.run)
    assert told.logged["files"] == {"read": 2, "reused": 0}
    second = Files(path=path, since=DAYS[0], until=DAYS[3]).load(told.run)
    assert told.logged["files"] == {"read": 2, "reused": 2}
    assert second.parts[:2] == first.parts
    assert Files(path=path).load(told.run) == second
    assert told.logged["files"] == {"read": 0, "reused": 4}
    fresh = Told(tmp_path / "other")
    lay(tmp_path / "other")
    assert Files(path=path).load(fresh.run) == second, "what is used again differs from what is read"


def test_a_day_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    lay(tmp_path)
    told = Told(tmp_path)
    told.load("tx-{day}.csv")
    version = Files(path="tx-{day}.csv").version(told.run)
    (tmp_path / f"tx-{DAYS[1]}.csv").write_text("x\n77\n")
    assert told.load("tx-{day}.csv")["x"] == [30, 77, 1, 2]
    assert told.logged["files"] == {"read": 1, "reused": 3}
    assert Files(path="tx-{day}.csv").version(told.run) != version


def test_days_that_the_store_lost_are_read_again(tmp_path: Path) -> None:
    lay(tmp_path)
    told = Told(tmp_path)
    table = Files(path="tx-{day}.csv").load(told.run)
    told.run.blobs.open(table.parts[2].digest).unlink()
    assert Files(path="tx-{day}.csv").load(told.run) == table
    assert told.logged["files"] == {"read": 1, "reused": 3}
    assert table.arrow()["x"].to_pylist() == [30, 31, 1, 2]


def test_the_version_is_that_of_the_days_in_the_range(tmp_path: Path) -> None:
    lay(tmp_path)
    run = Told(tmp_path).run
    part = Files(path=HIVE, until=DAYS[1])
    before, whole = part.version(run), Files(path=HIVE).version(run)
    lay(tmp_path, ["2026-02-03"])
    assert part.version(run) == before
    assert Files(path=HIVE).version(run) != whole


@pytest.mark.parametrize("path", [HIVE, "tx-{day}.csv"])
@pytest.mark.parametrize(
    ("kind", "arrow"), [("date", "date32[day]"), ("category", "string"), ("timestamp", "timestamp[us]")]
)
def test_a_declared_key_becomes_a_column(tmp_path: Path, path: str, kind: str, arrow: str) -> None:
    lay(tmp_path)
    run = Told(tmp_path, {"x": {"type": "integer"}, "day": {"type": kind}}).run
    table = Files(path=path).load(run)
    assert dict(table.columns) == {"x": "int64", "day": arrow}
    assert [str(day)[:10] for day in table.arrow()["day"].to_pylist()] == DAYS


def test_a_key_that_the_file_holds_is_not_added_again(tmp_path: Path) -> None:
    pq.write_table(pa.table({"day": ["kept"]}), tmp_path / "2026.parquet")
    (tmp_path / "2026.csv").write_text("day\nkept\n")
    for suffix in ("parquet", "csv"):
        assert Told(tmp_path, {"day": {"type": "category"}}).load(f"{{day}}.{suffix}") == {"day": ["kept"]}


def test_another_declared_type_is_not_served_from_what_was_read_before(tmp_path: Path) -> None:
    (tmp_path / "tx-1.csv").write_text("x\n007\n")
    told = Told(tmp_path)
    assert told.load("tx-{n}.csv") == {"x": [7]}
    text = make_run(tmp_path, schema={"columns": {"x": {"type": "category"}}}, memory=told.run.memory)
    assert Files(path="tx-{n}.csv").load(text).arrow().to_pydict() == {"x": ["007"]}


def test_days_whose_rows_suggest_other_types_come_out_as_one_file_would(tmp_path: Path) -> None:
    for n, value in (("1", "1"), ("2", "2.5"), ("3", "")):
        (tmp_path / f"tx-{n}.csv").write_text(f"k,x\n{n},{value}\n")
    (tmp_path / "tx-4.csv").write_text("k,x\n")
    assert Told(tmp_path).load("tx-{n}.csv") == {"k": [1, 2, 3], "x": [1.0, 2.5, None]}


def test_numbers_are_ranged_as_numbers(tmp_path: Path) -> None:
    for n in (2, 9, 10, 11):
        (tmp_path / f"run-{n}.csv").write_text(f"x\n{n}\n")
    assert Told(tmp_path).load("run-{n}.csv", since=9, until=10)["x"] == [10, 9]


@pytest.mark.parametrize(
    ("path", "more", "expected"),
    [
        (HIVE, {"since": "2027"}, "it has 2026-01-30 to 2026-02-02"),
        (HIVE, {"since": "2026-02-01", "until": "2026-01-01"}, "before it begins"),
        ("data/*/*.parquet", {"since": "2026"}, "has no key"),
        ("{a}/{b}.csv", {}, "several keys: a, b"),
        ("nothing/day={day}/*.parquet", {}, "No file matches"),
        ("http://127.0.0.1:1/{day}.csv", {"since": "2026-01-01"}, "cannot be listed"),
        ("http://127.0.0.1:1/{day}.csv", {"since": "a", "until": "b"}, "days, months or numbers"),
        ("http://127.0.0.1:1/{day}/*.csv", {"since": 1, "until": 2}, "no '*'"),
    ],
)
def test_a_range_that_cannot_be_taken_is_explained(tmp_path: Path, path: str, more: Any, expected: str) -> None:
    lay(tmp_path)
    with pytest.raises(ModelwayError) as caught:
        Files(path=path, **more).version(make_run(tmp_path))
    assert expected in str(caught.value)


def test_a_key_of_another_type_is_explained(tmp_path: Path) -> None:
    (tmp_path / "tx-last.csv").write_text("x\n1\n")
    with pytest.raises(ModelwayError, match="'last' does not convert"):
        Told(tmp_path, {"day": {"type": "date"}}).load("tx-{day}.csv")


def test_days_months_and_numbers_are_counted_out() -> None:
    def every(since: Any, until: Any) -> list[str]:
        found = Partition.of("http://host/{k}/{k}.csv", since, until)
        assert found is not None
        assert all(path == f"http://host/{value}/{value}.csv" for value, path in found.every())
        return [value for value, _ in found.every()]

    assert every("2024-02-28", "2024-03-01") == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert every("2025-11", "2026-02") == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert every("08", "11") == ["08", "09", "10", "11"]
    assert every(8, 9) == ["8", "9"]
    with pytest.raises(ConfigError):
        every("2026-02-01", "2026-03")
