from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_sql import asking
from modelway_sql.ranges import Ranges
from modelway_sql.source import Sql
from modelway_sql.writer import SqlWriter
from sqlalchemy import create_engine, text

from modelway import ConfigError, ModelwayError, Run
from modelway.testing import SourceSuite, make_run, make_table

Do = Callable[..., None]
Where = tuple[dict[str, str], Do]


def lite(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "shop.db")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


class TestTableContract(SourceSuite):
    def make(self, folder: Path) -> Any:
        if not (folder / "shop.db").exists():
            lite(folder, "create table t (k integer primary key, x real)", "insert into t values (1, 2), (2, 3)")
        return Sql(file="shop.db", table="t")

    def change(self, folder: Path) -> bool:
        lite(folder, "update t set x = 9 where k = 2")
        return True

    def absent(self, folder: Path) -> Any:
        return Sql(file="nothing.db", table="t")


class TestIncrementContract(TestTableContract):
    def make(self, folder: Path) -> Any:
        super().make(folder)
        return Sql(file="shop.db", table="t", increment="k", every=1)

    def change(self, folder: Path) -> bool:
        lite(folder, "insert into t values (5, 9)")
        return True

    def absent(self, folder: Path) -> Any:
        return Sql(file="shop.db", table="nothing", increment="k")


class TestQueryContract(TestTableContract):
    def make(self, folder: Path) -> Any:
        super().make(folder)
        return Sql(file="shop.db", query="select * from t;", version_query="select sum(x) from t")


class Told:
    """A run that says what it read, on a database."""

    def __init__(self, folder: Path, where: dict[str, str], columns: dict[str, Any] | None = None) -> None:
        self.logged: dict[str, Any] = {}
        self.where = where
        self.run: Run = make_run(folder, schema={"columns": columns or {}}, on_log=self.logged.__setitem__)

    def source(self, **more: Any) -> Sql:
        return Sql(**self.where, **more)

    def load(self, **more: Any) -> dict[str, list[Any]]:
        return self.source(**more).load(self.run).arrow().to_pydict()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Where]:
    """Give a reference to an empty database, and what executes statements there."""
    if request.param == "sqlite":
        url, reference = f"sqlite:///{tmp_path}/shop.db", {"file": "shop.db"}
    else:
        url, reference = request.getfixturevalue("postgresql"), {"url": "env:SHOP_DB"}
        monkeypatch.setenv("SHOP_DB", url)
    engine = create_engine(url)

    def do(statement: str, rows: Any = None) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement), rows)

    yield reference, do
    do("drop table if exists payments")
    do("drop table if exists scores")
    engine.dispose()


def payments(do: Do, days: int, start: int = 1) -> None:
    if start == 1:
        do("create table payments (id integer primary key, day date, paid_at timestamp, amount numeric(10, 2))")
    rows = [
        {"id": i, "d": f"2026-01-{i:02}", "t": f"2026-01-{i:02} 23:30:00", "a": i + 0.25}
        for i in range(start, days + 1)
    ]
    cast = "cast(:a as numeric(10, 2))"
    do(f"insert into payments values (:id, cast(:d as {DATE[0]}), cast(:t as {DATE[1]}), {cast})", rows)


DATE = ["text", "text"]


@pytest.fixture(autouse=True)
def _dates(request: pytest.FixtureRequest) -> None:
    name = getattr(getattr(request.node, "callspec", None), "params", {}).get("database")
    DATE[:] = ["date", "timestamp"] if name == "postgresql" else ["text", "text"]


DECLARED: Any = {
    "id": {"type": "integer"},
    "day": {"type": "date"},
    "paid_at": {"type": "timestamp"},
    "amount": {"type": "number"},
}


def test_declared_types_come_out_of_every_database(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 2)
    do("insert into payments (id) values (3)")
    table = Told(tmp_path, reference, DECLARED).source(table="payments").load(Told(tmp_path, reference, DECLARED).run)
    kinds = {"id": "int64", "day": "date32[day]", "paid_at": "timestamp[us]", "amount": "double"}
    assert dict(table.columns) == kinds
    assert table.arrow().to_pydict() == {
        "id": [1, 2, 3],
        "day": [date(2026, 1, 1), date(2026, 1, 2), None],
        "paid_at": [datetime(2026, 1, 1, 23, 30), datetime(2026, 1, 2, 23, 30), None],
        "amount": [1.25, 2.25, None],
    }


@pytest.mark.parametrize("column", ["id", "day", "paid_at"])
def test_only_what_came_in_is_read(tmp_path: Path, database: Where, column: str) -> None:
    reference, do = database
    told = Told(tmp_path, reference, DECLARED)
    source = told.source(table="payments", increment=column, every=7)
    payments(do, 10)
    first = source.load(told.run)
    assert told.logged["ranges"]["reused"] == 0
    version = source.version(told.run)
    payments(do, 20, start=11)
    assert source.version(told.run) != version
    second = source.load(told.run)
    assert told.logged["ranges"]["reused"] == len(first.parts) - 1, "the last range was open, the others were not"
    assert second.parts[: len(first.parts) - 1] == first.parts[:-1]
    assert second.arrow()["id"].to_pylist() == list(range(1, 21))
    assert source.load(told.run) == second
    assert told.logged["ranges"]["read"] == 0
    fresh = make_run(tmp_path / "fresh", schema={"columns": DECLARED})
    fresh.workspace = tmp_path
    assert source.load(fresh) == second


def test_a_range_of_days_is_taken_whole(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 20)
    told = Told(tmp_path, reference, DECLARED)
    for column in ("day", "paid_at"):
        found = told.load(table="payments", increment=column, since="2026-01-05", until="2026-01-15")
        assert found["id"] == list(range(5, 16)), column
    assert told.load(table="payments", increment="id", since=5, until=15, every=4)["id"] == list(range(5, 16))


def test_a_late_row_in_an_old_range_is_read(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 20)
    do("delete from payments where id = 3")
    told = Told(tmp_path, reference, DECLARED)
    told.load(table="payments", increment="id", every=5)
    payments(do, 3, start=3)
    assert told.load(table="payments", increment="id", every=5)["id"] == list(range(1, 21))
    assert told.logged["ranges"] == {"read": 1, "reused": 4}


def test_a_plan_reads_no_row_where_a_version_query_is_declared(
    tmp_path: Path, database: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, do = database
    payments(do, 3)
    told = Told(tmp_path, reference)
    monkeypatch.setattr(asking.Asking, "rows", lambda *args: pytest.fail("the plan reads rows"))
    declared = told.source(table="payments", version_query="select count(*), max(paid_at) from payments")
    ranged = told.source(table="payments", increment="id")
    before = declared.version(told.run), ranged.version(told.run)
    do("update payments set amount = 7")
    assert (declared.version(told.run), ranged.version(told.run)) == before, "what is declared is trusted"
    payments(do, 4, start=4)
    assert declared.version(told.run) != before[0]
    assert ranged.version(told.run) != before[1]


def test_without_a_version_query_every_change_is_seen(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 3)
    told = Told(tmp_path, reference)
    source = told.source(query="select * from payments order by id")
    before = source.version(told.run)
    assert source.version(told.run) == before
    do("update payments set amount = 7 where id = 2")
    assert source.version(told.run) != before


def test_parameters_are_bound_not_pasted(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 5)
    told = Told(tmp_path, reference)
    more = {"query": "select id from payments where id > :least", "parameters": {"least": 3}}
    assert told.load(order_by=("id",), **more) == {"id": [4, 5]}
    assert told.load(increment="id", version_query="select 1", **more) == {"id": [4, 5]}


def test_no_row_is_lost_between_chunks(tmp_path: Path, database: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, do = database
    monkeypatch.setattr(asking, "ROWS", 3)
    payments(do, 20)
    assert Told(tmp_path, reference).load(table="payments")["id"] == list(range(1, 21))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"table": "nothing"}, "refuses"),
        ({"query": "select * frm payments"}, "refuses"),
        ({"query": "select * from payments where id > 99"}, "no rows"),
        ({"table": "payments", "increment": "idd"}, "idd"),
        ({"table": "payments", "increment": "id", "since": 9, "until": 2}, "before it begins"),
        ({"table": "payments", "increment": "id", "since": "x"}, "a whole number"),
        ({"table": "payments", "increment": "day", "since": "x"}, "a day, such as"),
        ({"table": "payments", "increment": "id", "since": 99}, "no rows"),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path: Path, database: Where, more: dict[str, Any], expected: str) -> None:
    reference, do = database
    payments(do, 3)
    with pytest.raises(ModelwayError) as caught:
        Told(tmp_path, reference, DECLARED).load(**more)
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_two_columns_of_one_name_are_refused(tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", postgresql)
    with pytest.raises(ModelwayError, match="two columns 'id'"):
        Told(tmp_path, {"url": "env:SHOP_DB"}).load(query="select 1 as id, 2 as id")


def test_a_row_without_the_increment_is_not_lost_in_silence(tmp_path: Path, database: Where) -> None:
    reference, do = database
    payments(do, 3)
    do("insert into payments (id) values (9)")
    with pytest.raises(ModelwayError, match="'day' is missing in 1 rows"):
        Told(tmp_path, reference, DECLARED).load(table="payments", increment="day")


PREDICTIONS: dict[str, Any] = {"id": [1, 2], "score": [0.25, 0.5], "name": ["a", None], "ok": [True, False]}


def test_predictions_are_written_and_a_repeated_run_writes_nothing_twice(tmp_path: Path, database: Where) -> None:
    reference, _ = database
    run = make_run(tmp_path)
    table = make_table(run, PREDICTIONS, parts=2)
    writer = SqlWriter(**reference, table="scores", run_column="run")
    assert "scores: 2 rows" in writer.write(table, run)
    writer.write(table, run)
    told = Told(tmp_path, reference)
    assert told.load(table="scores", order_by=("id",))["id"] == [1, 2]
    run.id = "other"
    writer.write(table, run)
    found = told.load(query="select id, score, name, run from scores order by run, id")
    assert found == {
        "id": [1, 2] * 2,
        "score": [0.25, 0.5] * 2,
        "name": ["a", None] * 2,
        "run": ["other"] * 2 + ["test"] * 2,
    }
    SqlWriter(**reference, table="scores", mode="replace").write(table, run)
    assert told.load(query="select id from scores order by id")["id"] == [1, 2]


def test_a_refused_row_leaves_the_table_as_it_was(tmp_path: Path, database: Where) -> None:
    reference, do = database
    do("create table scores (id integer primary key, score float not null)")
    do("insert into scores values (7, 1.0)")
    run = make_run(tmp_path)
    bad = make_table(run, {"id": [1, 2], "score": [0.5, None]})
    with pytest.raises(ModelwayError, match="refuses"):
        SqlWriter(**reference, table="scores", mode="replace").write(bad, run)
    assert Told(tmp_path, reference).load(table="scores")["id"] == [7]
    with pytest.raises(ModelwayError, match="no column 'scroe'.*Did you mean 'score'"):
        SqlWriter(**reference, table="scores").write(make_table(run, {"id": [1], "scroe": [1.0]}), run)


def test_an_sqlite_file_is_not_read_again_to_plan(tmp_path: Path) -> None:
    lite(tmp_path, "create table t (x integer)", "insert into t values (1)")
    asked: list[Path] = []
    run = make_run(tmp_path, digests=lambda path: asked.append(path) or "same")
    assert Sql(file="shop.db", table="t").version(run) == "same"
    assert asked == [tmp_path / "shop.db"]


def test_what_an_sqlite_log_still_holds_is_part_of_the_version(tmp_path: Path) -> None:
    lite(tmp_path, "create table t (x integer)", "insert into t values (1)")
    open_one = sqlite3.connect(tmp_path / "shop.db")
    open_one.execute("pragma journal_mode = wal")
    source, run = Sql(file="shop.db", table="t"), make_run(tmp_path)
    before = source.version(run)
    with open_one:
        open_one.execute("insert into t values (2)")
    assert source.load(run).rows == 2
    assert source.version(run) != before
    open_one.close()


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("integer", "2.5", "declared as integer"),
        ("number", "'x'", "declared as number"),
        ("boolean", "2", "declared as boolean"),
        ("timestamp", "'yesterday'", "declared as timestamp"),
        ("date", "'2026-01-01 10:00'", "declared as date"),
        ("string", "x'00'", "declared as string"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, column: str, value: str, expected: str) -> None:
    lite(tmp_path, "create table t (x)", "insert into t values (null)", f"insert into t values ({value})")
    told = Told(tmp_path, {"file": "shop.db"}, {"x": {"type": column, "nullable": True}})
    with pytest.raises(ModelwayError) as caught:
        told.load(table="t")
    assert expected in str(caught.value)
    assert "row 2 of a chunk" in str(caught.value)


def test_types_of_a_dynamic_database_are_made_one(tmp_path: Path) -> None:
    lite(tmp_path, "create table t (a, b, c)", "insert into t values (1, 1, '2026-01-01T10:00:00+02:00')")
    declared = {"a": {"type": "boolean"}, "b": {"type": "category"}, "c": {"type": "timestamp"}}
    found = Told(tmp_path, {"file": "shop.db"}, declared).load(table="t")
    assert found == {"a": [True], "b": ["1"], "c": [datetime(2026, 1, 1, 8)]}


def test_an_undeclared_column_of_nothing_asks_for_its_type(tmp_path: Path) -> None:
    lite(tmp_path, "create table t (a, b)", "insert into t values (1, null)")
    with pytest.raises(ModelwayError, match="'b' has no value.*Declare 'b'"):
        Told(tmp_path, {"file": "shop.db"}).load(table="t")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"file": "x.db"}, "either a table or a query"),
        ({"file": "x.db", "table": "t", "query": "select 1"}, "either a table or a query"),
        ({"file": "x.db", "table": "t", "since": 1}, "needs the column"),
        ({"table": "t"}, "either a url or"),
        ({"file": "x.db", "url": "env:BAD", "table": "t"}, "either a url or"),
        ({"url": "postgresql://u:hunter2@h/d", "table": "t"}, "must be a reference"),
        ({"url": "env:NOT_THERE", "table": "t"}, "is not there"),
        ({"url": "env:BAD", "table": "t"}, "no URL"),
        ({"url": "env:ODD", "table": "t"}, "driver of this database is not installed"),
    ],
)
def test_a_wrong_declaration_is_explained_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], expected: str
) -> None:
    monkeypatch.setenv("BAD", "hunter2 is no url")
    monkeypatch.setenv("ODD", "nosuch://user:hunter2@host/db")
    with pytest.raises(ModelwayError) as caught:
        Sql(**more).version(make_run(tmp_path))
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.integers(-40, 40), min_size=1, max_size=30),
    every=st.integers(1, 15),
    since=st.none() | st.integers(-45, 45),
    until=st.none() | st.integers(-45, 45),
)
def test_ranges_hold_every_row_once(values: list[int], every: int, since: int | None, until: int | None) -> None:
    behind = None if until is None else until + 1
    taken = [v for v in values if (since is None or v >= since) and (behind is None or v < behind)]
    if not taken:
        return
    spans = list(Ranges(0, every, "x").cut(min(taken), max(taken), since, behind))
    assert sorted(taken) == sorted(v for low, high in spans for v in taken if low <= v < high)


def test_edges_of_days_are_compared_as_the_column_holds_them() -> None:
    day = date(2026, 1, 31)
    moment = datetime(2026, 1, 31, 10, tzinfo=UTC)
    for sample, edge in (("2026-01-31T10:00", "2026-01-31"), (day, day), (moment, moment.replace(hour=0))):
        ranges = Ranges(sample, 7, "at")
        assert ranges.bound(ranges.place(sample)) == edge
    with pytest.raises(ConfigError):
        Ranges(3, 7, "k").edge("2026-01-31", "since")
