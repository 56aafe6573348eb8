"""The ledger: two who decide at once never both win, an edited record shows, and a dead run blocks nobody."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from modelway.errors import ConfigError, ConflictError, LedgerError
from modelway.ledger import Ledger, new_id
from modelway.values.artifact import dumps


@pytest.fixture(params=["sqlite", "sqlalchemy"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same file through the standard library, and through SQLAlchemy as any other database."""
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
    with pytest.raises(LedgerError, match="has layout 99, and this Modelway knows 1.*Upgrade"):
        Ledger(url)


def test_a_file_that_is_no_ledger_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are notes, not a database" * 40)
    with pytest.raises(LedgerError, match=r"ledger.db\).*Restore it"):
        Ledger(str(tmp_path / "ledger.db"))
    assert (tmp_path / "ledger.db").read_text().startswith("these are notes")


def test_a_broken_ledger_is_an_error_of_ours(ledger: Ledger, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("DROP TABLE runs")
        other.commit()
    with pytest.raises(LedgerError, match="no such table: runs"):
        ledger.runs()


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
