"""``modelway check``: every defect of a project's data in one report, for a person, a script, and a CI job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelway.workspace import Workspace

CONFIG = """
defaults: [base, _self_]
project: till
task: binary

source:
  payments: {use: files, path: data/payments.csv}
  orders: {use: files, path: data/orders.csv}

schemas:
  payments:
    columns:
      payment: {type: integer, role: id, unique: true}
      order: {type: integer, role: ignore}
      time: {type: timestamp, role: time}
      amount: {type: number}
      fee: {type: number}
      method: {type: category}
      shop: {type: category}
      age: {type: integer, min: 18, max: 120}
  orders:
    columns:
      id: {type: integer, role: id, unique: true}
      placed: {type: timestamp, role: time}
      paid: {type: number}

schema:
  columns:
    amount: {type: number}
    fee: {type: number, max: 1000}
    age: {type: integer, max: 120}
    large: {type: boolean, role: target}

checks:
  schema: {use: pandera}
  fresh: {use: freshness, table: orders, within: 2d, as_of: "2024-03-31"}
  days: {use: volume, table: payments, within: 0.35}
  methods: {use: categories, table: payments, column: method, values: [card, cash, transfer]}
  fees: {use: distribution, table: payments, column: fee, per: day, median: {about: 0.5, within: 0.5}}
  known: {use: foreign_key, table: payments, other: orders, keys: {order: id}}
  paid: {use: totals, table: payments, column: amount, other: orders, keys: {order: id}, equals: paid, tolerance: 0.005}

prepare:
  orders: {use: join, table: orders, keys: {order: id}, unmatched_at_most: 1}
  large: {use: derive, columns: {large: "amount > 50"}}
  bad: {use: quarantine, at_most: 0.5}

split: {use: random, test: 0.3}
model: {use: xgboost, rounds: 5}
metrics: {auc: {use: roc_auc, bootstrap: 0}}
"""
Tables = tuple[pd.DataFrame, pd.DataFrame]
Defect = Callable[[pd.DataFrame, pd.DataFrame], Tables]


def tables(days: int = 24, per_day: int = 40) -> Tables:
    """Make payments of some days, and the orders that they belong to; orders of the last five days are unpaid yet."""
    draw = np.random.default_rng(7)
    orders = pd.DataFrame({"id": np.arange(1000, 1000 + (days + 5) * 10)})
    orders["placed"] = pd.Timestamp("2024-03-01 09:00") + pd.to_timedelta(np.arange(len(orders)) // 10, unit="D")
    count = days * per_day
    day = np.arange(count) // per_day
    payments = pd.DataFrame({"payment": np.arange(count), "order": 1000 + day * 10 + draw.integers(0, 10, count)})
    payments["time"] = pd.Timestamp("2024-03-01 10:00") + pd.to_timedelta(
        day * 1440 + np.arange(count) % 40, unit="min"
    )
    payments["amount"] = draw.integers(100, 10_000, count) / 100
    payments["fee"] = draw.uniform(0.4, 0.6, count).round(3)
    payments["method"] = draw.choice(["card", "cash", "transfer"], count)
    payments["shop"] = draw.choice(["north", "south"], count)
    payments["age"] = draw.integers(18, 90, count)
    return payments, orders


def day_of(payments: pd.DataFrame, day: str) -> pd.Series:
    return payments["time"].dt.strftime("%Y-%m-%d") == day


def within(payments: pd.DataFrame, row: int, column: str, value: Any) -> pd.DataFrame:
    changed = payments.copy()
    changed.loc[row, column] = value
    return changed


def late(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return payments, orders.iloc[:-30]


def missing_day(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return payments[~day_of(payments, "2024-03-09")], orders


def halved(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return payments[~day_of(payments, "2024-03-15") | (payments["payment"] % 2 == 0)], orders


def new_category(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return within(payments, 200, "method", "shells"), orders


def repeat(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return within(payments, 60, "payment", 59), orders


def orphan(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return within(payments, 150, "order", 7), orders


def unit_change(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    fee = payments["fee"].where(~day_of(payments, "2024-03-20"), payments["fee"] * 100)
    return payments.assign(fee=fee), orders


def null(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return within(payments, 300, "shop", None), orders


def out_of_range(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return within(payments, 400, "age", 203), orders


def broken_total(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
    return payments, within(orders, 33, "paid", orders["paid"][33] + 5)


#: Each defect, and what is found of it: table, column, rule, count.
DEFECTS: dict[Defect, tuple[str, str, str, int]] = {
    late: ("orders", "placed", "freshness", 1),
    missing_day: ("payments", "time", "missing", 1),
    new_category: ("payments", "method", "new_values", 1),
    repeat: ("payments", "payment", "unique", 2),
    broken_total: ("payments", "amount", "totals", 1),
    unit_change: ("payments", "fee", "median", 1),
    orphan: ("payments", "order", "foreign_key", 1),
    null: ("payments", "shop", "nullable", 1),
    out_of_range: ("payments", "age", "max", 1),
    halved: ("payments", "time", "within", 1),
}


def lay_out(bench: Any, *defects: Defect) -> None:
    """Write the project, and its data with some defects."""
    root = bench.root / "projects" / "till"
    if not root.exists():
        (root / "conf").mkdir(parents=True)
        bench.write("projects/till/conf/config.yaml", CONFIG)
    payments, orders = tables()
    for defect in defects:
        if defect is not broken_total:
            payments, orders = defect(payments, orders)
    orders = orders.assign(paid=orders["id"].map(payments.groupby("order")["amount"].sum()).fillna(0.0).round(2))
    if broken_total in defects:
        payments, orders = broken_total(payments, orders)
    bench.write("data/payments.csv", payments.to_csv(index=False))
    bench.write("data/orders.csv", orders.to_csv(index=False))


def findings(report: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return [(f["table"], f["column"], f["rule"], f["count"]) for f in report["findings"]]


def reported(bench: Any, *words: str) -> tuple[int, dict[str, Any]]:
    done = bench("check", "till", "--json", *words)
    assert done.out, done.err
    return done.code, json.loads(done.out)


@pytest.fixture
def till(bench: Any) -> Any:
    lay_out(bench)
    return bench


def test_ten_seeded_defects_give_ten_findings_in_one_report(till: Any) -> None:
    code, report = reported(till)
    assert (code, report["findings"], report["passed"]) == (0, [], True), report["findings"]
    lay_out(till, *DEFECTS)
    code, report = reported(till)
    assert code == 4
    assert sorted(findings(report)) == sorted(DEFECTS.values())
    assert [f["text"] for f in report["findings"] if "another unit (cents" in f["text"]]
    shown = till("check", "till")
    assert shown.code == 4
    assert "10 findings, of which 10 stop a run" in shown.out
    for evidence in ("2024-03-09", "2024-03-15: 20 rows", "shells", "order 7", "59", "203", "2024-03-20", "2024-03-26"):
        assert evidence in shown.out, f"{evidence} is not in the report:\n{shown.out}"


def test_an_ordinary_run_stops_at_the_first_table_that_fails_and_trains_nothing(till: Any) -> None:
    lay_out(till, *DEFECTS)
    done = till("run", "till")
    assert done.code == 4
    assert "checks.payments" in done.err
    assert "1 day: '2024-03-09'" in done.err
    assert till("models").out.count("till") == 0


def test_what_only_warns_passes_unless_asked_to_be_strict(till: Any) -> None:
    lay_out(till, new_category)
    warn = "checks.methods.severity=warn"
    code, report = reported(till, warn)
    assert (code, report["warn"], report["passed"]) == (0, 1, True)
    assert reported(till, warn, "--strict")[0] == 4
    assert till("run", "till", warn).code == 0


def test_rows_in_quarantine_are_counted_by_rule_and_kept(till: Any) -> None:
    lay_out(till, out_of_range)
    _, report = reported(till)
    assert report["dropped"] == [{"step": "bad", "in": 960, "out": 959, "dropped": {"age.max": 1}, "aside": "bad"}]
    assert "bad: 1 of 960 rows kept aside as 'bad': age.max 1" in till("check", "till").out
    steps = Workspace(till.root).ledger().steps(report["run"])
    manifest = Workspace(till.root).store().lookup(next(s["fingerprint"] for s in steps if s["name"] == "prepare"))
    assert any(name.startswith("aside/bad/part-") for name in manifest.files)


def test_a_rule_that_changes_sorts_the_rows_anew(till: Any) -> None:
    assert reported(till)[1]["dropped"] == []
    _, report = reported(till, "schema.columns.age.max=80")
    assert report["dropped"][0]["dropped"]["age.max"] > 50
    assert not any(f["table"] == "prepared" for f in report["findings"])


def test_what_was_found_is_told_even_if_a_later_step_fails(till: Any) -> None:
    def twice(payments: pd.DataFrame, orders: pd.DataFrame) -> Tables:
        return payments, within(orders, 1, "id", orders["id"][0])

    lay_out(till, twice, null)
    code, report = reported(till)
    assert code == 4
    assert {f["rule"] for f in report["findings"]} >= {"unique", "nullable"}
    assert report["error"]["code"] == 4
    assert "not all was checked" in till("check", "till").out


def test_data_that_did_not_change_is_not_checked_again_and_told_again(till: Any) -> None:
    lay_out(till, *DEFECTS)
    first = reported(till)[1]
    marks = till.marks("till", "--to", "checks")
    assert set(marks.values()) == {"="}
    again = reported(till)[1]
    assert again["findings"] == first["findings"]
    assert again["run"] != first["run"]


def test_a_check_never_makes_a_model_of_what_it_refused(till: Any) -> None:
    lay_out(till, null)
    reported(till)
    assert till("models").out.count("till") == 0
    statuses = [row["status"] for row in till("runs", "--json").json if row["project"] == "till"]
    assert statuses == ["failed"]


def test_a_project_without_checks_is_told_how_to_declare_one(till: Any) -> None:
    done = till("check", "till", "~checks")
    assert done.code == 2
    assert "declares no checks" in done.err
    assert "use: pandera" in done.err


def test_a_source_that_is_not_there_is_an_error_as_in_a_run(till: Any) -> None:
    shutil.rmtree(till.root / "data")
    done = till("check", "till")
    assert done.code == 4
    assert "Traceback" not in done.err
