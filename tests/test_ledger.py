"""The ledger: two who decide at once never both win, an edited record shows, and a dead run blocks nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelway.errors import ConfigError, ConflictError, LedgerError
from modelway.ledger import Ledger, new_id
from modelway.values.artifact import dumps


@pytest.fixture(params=["sqlite", "sqlalchemy", pytest.param("postgresql", marks=pytest.mark.faults)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same file through the standard library and through SQLAlchemy, and a PostgreSQL server."""
    if request.param == "postgresql":
        made: str = request.getfixturevalue("postgresql")()
        return made
    path = tmp_path / "ledger.db"
    return str(path) if request.param == "sqlite" else f"sqlite+pysqlite:///{path}"


@pytest.fixture
def ledger(url: str) -> Ledger:
    return Ledger(url)


def enter(ledger: Ledger, id: str, project: str = "shop", **tags: Any) -> str:
    row = {"id": id, "project": project, "created": "2026-01-01T00:00:00Z", "status": "running", "actor": "tester"}
    row |= {"overrides": ["a=1"], "config": {"b": {"c": 1}}, "code": {}, "environment": "e1"}
    ledger.start(row, tags)
    return id


def step(name: str, place: int, **more: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "place": place,
        "stage": name,
        "status": "ran",
        "fingerprint": f"f-{name}",
        "digest": f"d-{name}",
    }
    return {**row, "reason": "new", "wall": 0.5, "cpu": 0.25, "peak": 2**40, "bytes": 7, "body": {"x": [1]}, **more}


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Do something in several threads that start together; returns what each returned, or its error."""
    barrier, found = threading.Barrier(count), [None] * count

    def go(i: int) -> None:
        barrier.wait()
        try:
            found[i] = act(i)
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=go, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = []
    for _ in range(20):
        ids.append(new_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert len(set(ids)) == 20
    assert {len(id) for id in ids} == {10}


def test_what_is_entered_comes_back(ledger: Ledger, url: str) -> None:
    enter(ledger, "aa1", team="x", tries=3)
    ledger.steps_done("aa1", [step("split", 1), step("source", 0)])
    ledger.step("aa1", step("split", 1, status="cached", wall=0.0))
    ledger.measured(
        "aa1", [{"metric": "auc", "phase": "test", "value": 0.5, "low": None, "high": None, "std": None, "support": 9}]
    )
    ledger.note("aa1", "why")
    ledger.finish("aa1", "done")
    again = Ledger(url)
    row = again.run("aa1")
    assert (row["config"], row["overrides"], row["status"], row["note"]) == ({"b": {"c": 1}}, ["a=1"], "done", "why")
    assert again.tags("aa1") == {"team": "x", "tries": "3"}
    assert [(s["name"], s["status"], s["peak"], s["body"]) for s in again.steps("aa1")] == [
        ("source", "ran", 2**40, {"x": [1]}),
        ("split", "cached", 2**40, {"x": [1]}),
    ]
    assert [(s["metric"], s["value"], s["support"]) for s in again.scores(["aa1"])] == [("auc", 0.5, 9)]
    assert again.scores([]) == []


def test_runs_are_found_by_project_and_tag_newest_first(ledger: Ledger) -> None:
    enter(ledger, "aa1", team="x")
    enter(ledger, "ab2", "other", team="x")
    enter(ledger, "ac3", team="y")
    assert [row["id"] for row in ledger.runs()] == ["ac3", "ab2", "aa1"]
    assert [row["id"] for row in ledger.runs(limit=1)] == ["ac3"]
    assert [row["id"] for row in ledger.runs("shop", tags={"team": "x"})] == ["aa1"]


def test_a_beginning_of_an_id_is_enough_unless_several_begin_so(ledger: Ledger) -> None:
    for id in ("aa1", "aa2", "b1"):
        enter(ledger, id)
    assert ledger.run("b")["id"] == "b1"
    assert ledger.run("aa2")["id"] == "aa2"
    with pytest.raises(ConfigError, match="Several runs begin with 'aa'.*aa2, aa1"):
        ledger.run("aa")
    with pytest.raises(ConfigError, match="There is no run 'aa3'.*Did you mean"):
        ledger.run("aa3")


def test_the_last_fingerprint_is_that_of_the_newest_run_that_finished_the_step(ledger: Ledger) -> None:
    for id, found, status in (("a1", "one", "ran"), ("a2", "two", "cached"), ("a3", "three", "failed")):
        enter(ledger, id)
        ledger.step(id, step("model", 0, fingerprint=found, status=status))
    enter(ledger, "a4", "other")
    ledger.step("a4", step("model", 0, fingerprint="four"))
    assert ledger.last_fingerprints("shop") == {"model": "two"}


def test_an_equal_model_is_the_version_that_it_was(ledger: Ledger) -> None:
    assert ledger.register("shop", "m1", "b1", "r1")["number"] == 1
    assert ledger.register("shop", "m2", "b1", "r2")["number"] == 2
    assert ledger.register("shop", "m1", "b1", "r3") == ledger.versions("shop")[1]
    assert ledger.register("other", "m1", "b1", "r3")["number"] == 1
    assert [event["kind"] for event in ledger.events("shop@")] == ["registered", "registered"]


def test_runs_that_register_at_once_get_versions_of_their_own(url: str) -> None:
    Ledger(url)
    found = at_once(6, lambda i: Ledger(url).register("shop", f"m{i // 2}", "b", f"r{i}")["number"])
    assert sorted(found) == [1, 1, 2, 2, 3, 3]
    assert len(Ledger(url).versions("shop")) == 3


def test_of_two_who_move_an_alias_at_once_one_wins(url: str) -> None:
    ledger = Ledger(url)
    for i in range(6):
        ledger.register("shop", f"m{i}", "b", "r")
    ledger.point("shop", "champion", 1, "first", expected=None)
    found = at_once(5, lambda i: Ledger(url).point("shop", "champion", i + 2, "better", expected=1))
    assert sum(error is None for error in found) == 1
    assert {type(error) for error in found if error is not None} == {ConflictError}
    assert ledger.aliases("shop")["champion"] == found.index(None) + 2
    assert "was 1 when this was decided" in str(next(error for error in found if error))


def test_a_decision_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    def half() -> None:
        with ledger.db.transaction():
            ledger.register("shop", "m1", "b1", "r1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert ledger.versions("shop") == []
    assert ledger.events() == []


def test_a_version_is_named_by_alias_number_or_nothing(ledger: Ledger) -> None:
    for i in range(3):
        ledger.register("shop", f"m{i + 1}", "b", "r")
    assert ledger.version("shop")["number"] == 3
    ledger.point("shop", "champion", 2, "good")
    found = [ledger.version(f"shop{which}")["model"] for which in ("", "@champion", "@1", "@v3")]
    assert found == ["m2", "m2", "m1", "m3"]
    for wrong, text in (
        ("shop@9", "no version '9'"),
        ("shop@champoin", "Did you mean 'champion'"),
        ("shp", "Did you mean 'shop'"),
    ):
        with pytest.raises(ConfigError, match=text):
            ledger.version(wrong)


def test_whom_a_champion_took_over_from_is_remembered(ledger: Ledger) -> None:
    for i in range(3):
        ledger.register("shop", f"m{i}", "b", "r")
    for number in (1, 3, 2):
        ledger.point("shop", "champion", number, "")
    assert [ledger.took_over_from("shop", number) for number in (1, 2, 3)] == [None, 3, 1]


def chain_holds(ledger: Ledger) -> bool:
    """Follow the chain of events as an auditor would."""
    import hashlib

    previous = ""
    for row in ledger.db.execute("SELECT * FROM events ORDER BY seq"):
        body = {key: value for key, value in row.items() if key != "hash"}
        if row["previous"] != previous or hashlib.sha256(dumps(body)).hexdigest() != row["hash"]:
            return False
        previous = row["hash"]
    return True


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE events SET actor = 'mallory' WHERE seq = 2",
        "UPDATE events SET body = '{}' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
    ],
)
def test_an_edited_decision_shows(ledger: Ledger, harm: str) -> None:
    for i in range(4):
        ledger.event("noted", f"shop@{i}", {"i": i})
    assert chain_holds(ledger)
    ledger.db.execute(harm)
    assert not chain_holds(ledger)


def living(name: str) -> bool:
    return False


def test_one_holder_at_a_time_has_a_lease(ledger: Ledger) -> None:
    token = ledger.lease("f", "a", living)
    assert token == 1
    assert ledger.lease("f", "b", living) is None
    assert ledger.lease("g", "b", living) == 1
    assert ledger.renew("f", token)
    ledger.release("f", token)
    assert ledger.lease("f", "b", living) == 2


def test_an_expired_lease_is_taken_and_its_holder_is_fenced(ledger: Ledger) -> None:
    old = ledger.lease("f", "a", living, seconds=-1)
    new = ledger.lease("f", "b", living)
    assert (old, new) == (1, 2)
    assert not ledger.renew("f", 1)
    ledger.release("f", 1)  # the lease is not its own any more
    assert ledger.lease("f", "c", living) is None


def test_a_dead_holders_lease_is_taken_at_once(ledger: Ledger) -> None:
    ledger.lease("f", "a", living, seconds=3600)
    assert ledger.lease("f", "b", lambda name: name == "a") == 2


def test_of_many_who_want_a_lease_at_once_one_gets_it(url: str) -> None:
    Ledger(url)
    found = at_once(6, lambda i: Ledger(url).lease("f", f"holder {i}", living))
    assert sorted(map(str, found)) == ["1", *["None"] * 5]


def test_a_lease_is_renewed_from_another_thread_while_a_decision_is_written(ledger: Ledger) -> None:
    token = ledger.lease("f", "a", living)
    assert token is not None

    def act(i: int) -> Any:
        return [ledger.renew("f", token) if i % 2 else ledger.event("noted", "x", {"i": i}) for _ in range(20)]

    found = at_once(4, act)
    assert found == [[None] * 20, [True] * 20, [None] * 20, [True] * 20]
    assert chain_holds(ledger)


def test_a_ledger_of_a_later_layout_is_refused(ledger: Ledger, url: str) -> None:
    ledger.db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(LedgerError, match="has layout 99, and this Modelway knows 2.*Upgrade"):
        Ledger(url)


#: The tables that the first release made, and a row of each kind that must outlive it.
FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, created TEXT NOT NULL, finished TEXT, status TEXT NOT NULL,
  actor TEXT NOT NULL, parent TEXT, overrides TEXT NOT NULL, config TEXT NOT NULL, code TEXT NOT NULL,
  environment TEXT NOT NULL, note TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE tags (run TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE steps (
  run TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, stage TEXT NOT NULL, status TEXT NOT NULL,
  fingerprint TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, wall REAL NOT NULL, cpu REAL NOT NULL,
  peak BIGINT NOT NULL, bytes BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE scores (
  run TEXT NOT NULL, metric TEXT NOT NULL, phase TEXT NOT NULL, value REAL, low REAL, high REAL, std REAL,
  support BIGINT, PRIMARY KEY (run, metric, phase));
CREATE TABLE versions (
  project TEXT NOT NULL, number INTEGER NOT NULL, model TEXT NOT NULL, bundle TEXT NOT NULL, run TEXT NOT NULL,
  created TEXT NOT NULL, PRIMARY KEY (project, number));
CREATE TABLE aliases (
  project TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (project, alias));
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE leases (
  fingerprint TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires REAL NOT NULL);
INSERT INTO meta VALUES ('schema', '1');
INSERT INTO runs VALUES ('aa1', 'shop', 't', NULL, 'done', 'me', NULL, '[]', '{}', '{}', 'e', 'kept', '{}');
INSERT INTO scores VALUES ('aa1', 'auc', 'test', 0.5, NULL, NULL, NULL, 9);
INSERT INTO aliases VALUES ('shop', 'champion', 3);
INSERT INTO leases VALUES ('f', 'a', 7, 0)
"""


def test_a_ledger_of_the_first_layout_is_migrated_by_whoever_opens_it_first_and_keeps_what_it_held(url: str) -> None:
    from modelway.ledger.database import connect

    db = connect(url)
    for statement in FIRST.split(";"):
        db.execute(statement)
    assert not [error for error in at_once(4, lambda i: Ledger(url)) if isinstance(error, Exception)]
    ledger = Ledger(url)
    assert ledger.run("aa1")["note"] == "kept"
    assert ledger.aliases("shop") == {"champion": 3}
    assert ledger.lease("f", "b", living) == 8
    ledger.measured("aa1", [{"metric": "log", "phase": "test", "value": 1 / 3, **dict.fromkeys(EMPTY)}])
    assert [row["value"] for row in ledger.scores(["aa1"])] == [0.5, 1 / 3]
    assert ledger.trials("none") == []


EMPTY = ("low", "high", "std", "support")


def test_numbers_come_back_as_they_were(ledger: Ledger) -> None:
    enter(ledger, "aa1")
    ledger.step("aa1", step("model", 0, wall=1 / 3, cpu=1e9 + 1 / 3))
    ledger.measured("aa1", [{"metric": "log", "phase": "test", "value": 0.1 + 0.2, **dict.fromkeys(EMPTY)}])
    assert [(row["wall"], row["cpu"]) for row in ledger.steps("aa1")] == [(1 / 3, 1e9 + 1 / 3)]
    assert ledger.scores(["aa1"])[0]["value"] == 0.1 + 0.2


def sweep(ledger: Ledger, id: str = "s1", **more: Any) -> str:
    ledger.sweep_start({"id": id, "project": "shop", "name": f"content of {id}", **more})
    return id


def test_a_sweep_and_its_trials_come_back(ledger: Ledger, url: str) -> None:
    sweep(ledger, overrides=["a=1,2"], body={"space": {"a": [1, 2]}}, actor="tester")
    ledger.trial("s1", {"name": "two", "place": 1, "overrides": ["a=2"]})
    ledger.trial("s1", {"name": "one", "place": 0, "overrides": ["a=1"], "status": "running", "run": "aa1"})
    ledger.trial("s1", {"name": "one", "status": "done", "vals": {"auc": 1 / 3}, "seconds": 0.1})
    ledger.trial("s1", {"name": "two", "status": "failed", "error": "It's the data; 100% of it"})
    ledger.sweep_finish("s1", "partial")
    again = Ledger(url)
    found = again.sweep("s")
    assert {key: found[key] for key in ("project", "status", "actor", "name", "overrides", "body")} == {
        "project": "shop", "status": "partial", "actor": "tester", "name": "content of s1",
        "overrides": ["a=1,2"], "body": {"space": {"a": [1, 2]}},
    }  # fmt: skip
    assert found["finished"] >= found["created"]
    one, two = again.trials("s1")
    assert (one["name"], one["overrides"], one["run"], one["status"]) == ("one", ["a=1"], "aa1", "done")
    assert (one["vals"], one["seconds"], one["error"]) == ({"auc": 1 / 3}, 0.1, "")
    assert (two["name"], two["overrides"], two["run"], two["status"]) == ("two", ["a=2"], None, "failed")
    assert two["error"] == "It's the data; 100% of it"


def test_a_sweep_that_goes_on_keeps_its_trials_and_is_not_finished(ledger: Ledger) -> None:
    sweep(ledger, created="2026-01-01")
    ledger.trial("s1", {"name": "one", "status": "done", "vals": {"auc": 0.5}})
    ledger.sweep_finish("s1", "stopped")
    sweep(ledger, created="2027-01-01", overrides=["a=1,2,3"])
    ledger.trial("s1", {"name": "one"})
    found = ledger.sweep("s1")
    assert (found["created"], found["finished"], found["status"]) == ("2026-01-01", None, "running")
    assert found["overrides"] == ["a=1,2,3"]
    assert [(t["status"], t["vals"]) for t in ledger.trials("s1")] == [("done", {"auc": 0.5})]


def test_sweeps_are_found_by_beginning_by_content_and_by_project_newest_first(ledger: Ledger) -> None:
    for id in ("s1", "s2"):
        sweep(ledger, id)
    sweep(ledger, "t1", project="other", name="content of s1")
    assert [row["id"] for row in ledger.sweeps()] == ["t1", "s2", "s1"]
    assert [row["id"] for row in ledger.sweeps("shop", limit=1)] == ["s2"]
    assert ledger.sweep("content of s1")["id"] == "t1"
    with pytest.raises(ConfigError, match="Several sweeps begin with 's'.*s2, s1"):
        ledger.sweep("s")
    with pytest.raises(ConfigError, match="no sweep 's3'.*Known here: s1, s2, t1"):
        ledger.sweep("s3")


def test_a_trial_with_a_column_that_there_is_not_is_refused(ledger: Ledger) -> None:
    with pytest.raises(KeyError, match="value"):
        ledger.trial("s1", {"name": "one", "value": 3})


def test_a_file_that_is_no_ledger_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are notes, not a database" * 40)
    with pytest.raises(LedgerError, match=r"ledger.db\).*Restore it"):
        Ledger(str(tmp_path / "ledger.db"))
    assert (tmp_path / "ledger.db").read_text().startswith("these are notes")


def test_a_broken_ledger_is_an_error_of_ours(ledger: Ledger, url: str) -> None:
    Ledger(url).db.execute("DROP TABLE runs")
    with pytest.raises(LedgerError, match='no such table: runs|relation "runs" does not exist'):
        ledger.runs()


def test_a_database_of_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(LedgerError, match="SQLite or PostgreSQL, and not in mysql"):
        Ledger("mysql://root@127.0.0.1:1/db")


@pytest.mark.parametrize("url", ["postgresql+nothere://u:secret@h/db", "sqlite+pysqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_reached_is_told_without_its_password(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


def test_what_runs_on_record_need_is_kept(ledger: Ledger) -> None:
    for id in ("a1", "a2", "a3"):
        enter(ledger, id)
        ledger.step(id, step("model", 0, fingerprint=id))
    ledger.register("shop", "m", "b", "a1")
    assert ledger.needed() == {"a1", "a2", "a3"}
    assert ledger.needed(keep=1) == {"a1", "a3"}


def test_what_some_runs_need_is_told_with_their_environment_and_their_code(ledger: Ledger) -> None:
    for id in ("a1", "a2"):
        enter(ledger, id)
        ledger.step(id, step("model", 0, fingerprint=id))
    ledger.step("a2", step("gate", 1, fingerprint="", status="failed"))
    ledger.finish("a2", "done", code={"project": {"dirty": "patch"}})
    assert ledger.needed(runs=["a2"]) == {"a2"}
    assert ledger.provenance(["a1"]) == {("Environment", "e1")}
    assert ledger.provenance() == {("Environment", "e1"), ("Patch", "patch")}


def test_who_waits_for_a_lease_keeps_no_writer_waiting(ledger: Ledger, url: str) -> None:
    other = Ledger(url)
    other.lease("f", "a", living)
    with ledger.db.transaction():
        ledger.note("none", "the turn is taken")
        assert other.lease("f", "b", living) is None


def test_hosts_whose_clocks_differ_agree_on_when_a_lease_runs_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ledger.lease("f", "a", living)
    assert token is not None
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert ledger.lease("f", "b", living) is None
    assert ledger.renew("f", token)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert ledger.lease("f", "b", living) is None
    assert ledger.lease("g", "b", living, seconds=-1) == 1
    assert ledger.lease("g", "c", living) == 2
