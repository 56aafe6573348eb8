from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_prepare import buckets, windows
from modelway_prepare.windows import Windows

from modelway import ConfigError, DataError, Run, Table, Workers
from modelway.testing import PreparerSuite, make_run, make_table

DAY = 86400
FUNCTIONS = ("count", "sum", "mean", "std", "min", "max")
relaxed = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def payments(rows: int, seed: int = 0, ties: int = 3600) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 60 * DAY, rows) // ties * ties)
    amount = np.round(rng.gamma(2, 30, rows), 2)
    amount[rng.random(rows) < 0.05] = np.nan
    return {
        "id": np.arange(rows),
        "time": np.datetime64("2024-01-01", "us") + seconds.astype("m8[s]"),
        "customer": pa.array([None if c == 9 else f"c{c}" for c in rng.integers(0, 10, rows)]),
        "terminal": rng.integers(0, 25, rows),
        "amount": amount,
        "fraud": rng.random(rows) < 0.1,
    }


def made(folder: Path, columns: Mapping[str, Any], parts: int = 1, **fields: Any) -> pd.DataFrame:
    run = make_run(folder)
    step = Windows(**{"entities": ("customer",), "time": "time", "windows": (7,), **fields})
    return step.prepare({"table": make_table(run, columns, parts)}, run).frame()


def by_pandas(columns: Mapping[str, Any], entity: str, window: int, function: str, closed: str) -> np.ndarray:
    frame = pa.table(dict(columns)).to_pandas()
    frame["row"] = np.arange(len(frame))
    ordered = frame.sort_values("time", kind="stable").dropna(subset=[entity])
    ordered["one"] = 1.0
    rolling = ordered.groupby(entity).rolling(f"{window}D", on="time", closed=closed)
    found = rolling["one" if function == "count" else "amount"].agg(function)
    if function == "count":
        found = found.fillna(0)
    rows = ordered.sort_values(entity, kind="stable")["row"]  # as groups stand
    return pd.Series(found.to_numpy(), index=rows).reindex(range(len(frame))).to_numpy()


class TestWindowsContract(PreparerSuite):
    component = Windows(entities=("customer", "terminal"), time="time", windows=(1, "36h", 7), functions=FUNCTIONS,
                        values=("amount",), label="fraud", delay=2)  # fmt: skip

    def sample(self) -> Mapping[str, Any]:
        return payments(60)


@pytest.mark.parametrize("closed", ["right", "left"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_windows_are_those_of_pandas(tmp_path: Path, function: str, closed: str) -> None:
    columns = payments(3000)
    found = made(tmp_path, columns, 3, entities=("customer", "terminal"), windows=(1, 7, 30), closed=closed,
                 functions=(function,), values=() if function == "count" else ("amount",))  # fmt: skip
    for entity in ("customer", "terminal"):
        for window in (1, 7, 30):
            of = "" if function == "count" else "amount_"
            ours = found[f"{entity}_{of}{function}_{window}d"].to_numpy(float, na_value=np.nan)
            theirs = by_pandas(columns, entity, window, function, closed)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-7 if function == "std" else 0)


rows_of_payments = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.integers(0, 12) | st.none(),
        st.none() | st.floats(-1e12, 1e12) | st.integers(-100, 100).map(lambda n: n / 8),
        st.sampled_from([True, False, None]),
    ),
    min_size=1,
    max_size=25,
)


def columns_of(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    who, when, amount, fraud = zip(*rows, strict=True)
    return {
        "customer": pa.array(who, pa.string()),
        "time": pa.array([None if t is None else t * 43200 for t in when], pa.timestamp("s")),
        "amount": pa.array(amount, pa.float64()),
        "fraud": pa.array(fraud, pa.bool_()),
    }


def by_hand(rows: list[tuple[Any, ...]], closed: str, width: int, delay: int) -> Iterator[dict[str, Any]]:
    """Half days all; rows in the table's order of any times, seen one by one."""
    for i, (who, when, _, _) in enumerate(rows):
        if who is None or when is None:
            yield {}
            continue

        def seen(back: int, at: int = when, me: str = who, i: int = i) -> list[tuple[Any, ...]]:
            def inside(j: int, t: int) -> bool:
                if closed == "left":
                    return at - back - width <= t < at - back
                return at - back - width < t <= at - back and (t < at or j <= i)

            return [r for j, r in enumerate(rows) if r[0] == me and r[1] is not None and inside(j, r[1])]

        amounts = [r[2] for r in seen(0) if r[2] is not None]
        labels = [r[3] for r in seen(delay) if r[3] is not None]
        yield {
            "customer_count_2d": len(seen(0)),
            "customer_amount_sum_2d": math.fsum(amounts) if amounts else None,
            "customer_amount_max_2d": max(amounts, default=None),
            "customer_amount_min_2d": min(amounts, default=None),
            "customer_fraud_known_2d": len(labels),
            "customer_fraud_rate_2d": sum(labels) / len(labels) if labels else None,
        }


@relaxed
@given(rows_of_payments, st.sampled_from(["right", "left"]), st.integers(1, 5), st.integers(1, 3))
def test_any_rows_get_what_a_definition_read_aloud_gives(
    tmp_path: Path, rows: list[tuple[Any, ...]], closed: str, delay: int, parts: int
) -> None:
    found = made(tmp_path, columns_of(rows), parts, windows=(2,),
                 functions=("count", "sum", "min", "max"), closed=closed,
                 values=("amount",), label="fraud", delay=f"{12 * delay}h")  # fmt: skip
    for i, expected in enumerate(by_hand(rows, closed, 4, delay)):
        for name in found.columns[4:]:
            value, wanted = found[name][i], expected.get(name)
            assert pd.isna(value) if wanted is None else value == pytest.approx(wanted, rel=1e-9, abs=1e-300), name


@relaxed
@given(rows=rows_of_payments, data=st.data())
def test_what_is_later_or_not_known_yet_never_changes_a_row(
    tmp_path: Path, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """A model trained on columns that know the future fails where there is none."""
    rows = sorted([r for r in rows if r[1] is not None] or [("a", 1, 1.0, True)], key=lambda r: r[1])
    place = data.draw(st.integers(0, len(rows) - 1))
    when = rows[place][1]
    other = (*rows[place][:2], data.draw(st.floats(-1e6, 1e6)), data.draw(st.booleans()))
    fields = {"windows": (1, 3), "functions": FUNCTIONS, "values": ("amount",), "label": "fraud", "delay": 2}
    before = made(tmp_path, columns_of(rows), **fields)
    after = made(tmp_path, columns_of([*rows[:place], other, *rows[place + 1 :]]), **fields)
    added = list(before.columns[4:])
    pd.testing.assert_frame_equal(before.loc[: place - 1, added], after.loc[: place - 1, added])
    labels = [name for name in added if "fraud" in name]
    known = [i for i, row in enumerate(rows) if row[1] < when + 4]
    pd.testing.assert_frame_equal(before.loc[known, labels], after.loc[known, labels])
    shorter = made(tmp_path, columns_of(rows[: place + 1]), **fields)
    pd.testing.assert_frame_equal(before.loc[:place, added], shorter[added], check_dtype=False)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"windows": (-7,)}, "windows"),
        ({"windows": (0,)}, "windows"),
        ({"windows": ("-36h",)}, "windows"),
        ({"windows": ("soon",)}, "windows"),
        ({"windows": ()}, "windows"),
        ({"windows": (7, "7d")}, "windows"),
        ({"label": "fraud"}, "delay"),
        ({"label": "fraud", "delay": -1}, "delay"),
        ({"label": "fraud", "delay": "0h"}, "delay"),
        ({"functions": ("mean",)}, "values"),
        ({"values": ("amount",)}, "functions"),
        ({"functions": ()}, "functions"),
    ],
)
def test_a_window_that_peeks_or_makes_no_sense_cannot_be_declared(fields: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        Windows(**{"entities": ("customer",), "time": "time", "windows": (7,), **fields})
    assert error.value.where.startswith(key)


def test_the_target_is_seen_through_its_delay_or_not_at_all(tmp_path: Path) -> None:
    schema = {"columns": {"fraud": {"type": "boolean", "role": "target"}}}
    run = make_run(tmp_path, schema=schema)
    step = Windows(entities=("customer",), time="time", windows=(7,), functions=("mean",), values=("fraud",))
    with pytest.raises(ConfigError, match="'fraud' would see labels.*'label: fraud'"):
        step.prepare({"table": make_table(run, payments(9))}, run)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"entities": ("custmer",)}, "no column 'custmer'.*Did you mean 'customer'"),
        ({"time": "id"}, "'id' holds int64, not times"),
        ({"functions": ("sum",), "values": ("customer",)}, "'customer' does not hold numbers"),
        ({"label": "terminal", "delay": 7}, "'terminal' has values other than true and false"),
    ],
)
def test_columns_that_cannot_be_used_are_explained(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        made(tmp_path, payments(40), **fields)


def test_small_windows_keep_their_digits_beside_large_amounts(tmp_path: Path) -> None:
    """A difference of cumulative sums of 1e16 would lose every cent."""
    amounts = [1e16, 0.01, 0.02, 3e15, 0.07, 1e16, 0.1, 0.2, 123456.78, 123456.79]
    days = [0, 10, 10, 20, 30, 40, 50, 50, 60, 60]
    columns = {"customer": ["a"] * 10, "time": np.asarray(days, "M8[D]"), "amount": amounts}
    found = made(tmp_path, columns, functions=("sum", "std"), values=("amount",))
    expected = [1e16, 0.01, 0.03, 3e15, 0.07, 1e16, 0.1, math.fsum([0.1, 0.2]), 123456.78, math.fsum(amounts[-2:])]
    assert found["customer_amount_sum_7d"].tolist() == expected
    assert found["customer_amount_std_7d"][9] == pytest.approx(np.std(amounts[-2:], ddof=1), rel=1e-9)


def test_values_that_are_all_one_have_no_deviation(tmp_path: Path) -> None:
    columns = {"customer": ["a"] * 50, "time": np.arange(50).astype("M8[D]"), "amount": [0.1] * 25 + [1e9 / 3] * 25}
    found = made(tmp_path, columns, windows=(5,), functions=("std",), values=("amount",))
    assert found["customer_amount_std_5d"][[24, 49]].tolist() == [0, 0]


def test_entities_without_a_row_of_their_own_and_times_without_one_get_nothing(tmp_path: Path) -> None:
    found = made(tmp_path, payments(300))
    assert (found["customer_count_7d"].isna() == found["customer"].isna()).all()


def carried(function: Callable[[Any], Any], items: Any) -> Iterator[Any]:
    """Carry each piece of work as a cluster does: as bytes, with nothing in common."""
    import cloudpickle

    for item in items:
        job = cloudpickle.dumps((function, item))
        yield cloudpickle.loads(cloudpickle.dumps((lambda f, x: f(x))(*cloudpickle.loads(job))))


def shuffled(folder: Path, step: Windows, columns: Mapping[str, Any], parts: int) -> tuple[Table, Table]:
    run = make_run(folder)
    table = make_table(run, columns, parts)
    far: Run = make_run(folder, workers=Workers(map=carried, client=object()))
    return step.prepare({"table": table}, run), step.prepare({"table": table}, far)


@pytest.mark.parametrize("entity", ["customer", "terminal", "place"])
def test_a_cluster_gives_the_same_bytes_also_where_an_entity_straddles_parts(
    tmp_path: Path, entity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "BUCKET_ROWS", 100)
    step = Windows(entities=(entity,), time="time", windows=(1, 30), functions=FUNCTIONS, values=("amount",),
                   label="fraud", delay=3)  # fmt: skip
    columns = payments(900)
    columns["place"] = pa.array([f"p{n % 40}" for n in range(900)]).dictionary_encode()
    shuffle = np.random.default_rng(1).permutation(900)
    columns = {name: pa.array(column).take(pa.array(shuffle)) for name, column in columns.items()}
    here, there = shuffled(tmp_path, step, columns, 4)
    assert here == there


def test_a_table_too_large_for_memory_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, step = make_run(tmp_path), Windows(entities=("terminal",), time="time", windows=(7,))
    table = make_table(run, payments(500), 3)
    whole = step.prepare({"table": table}, run)
    monkeypatch.setattr(windows, "IN_MEMORY", 0)
    assert step.prepare({"table": table}, run) == whole
