"""Each declared answer to what a feature cannot treat, and each error that a user can make."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from modelway_features.bins import Bins
from modelway_features.category import NativeCategory
from modelway_features.clip import Clip
from modelway_features.dateparts import DateParts
from modelway_features.derive import Derive
from modelway_features.impute import Impute
from modelway_features.log import Log
from modelway_features.onehot import OneHot
from modelway_features.ordinal import Ordinal
from modelway_features.ratio import Ratio
from modelway_features.scale import Scale

from modelway import Category, ConfigError, DataError, Directory, Transform

NAN = float("nan")
TRAIN = {"c": Category.of(["oak", "elm", "oak", None, "fir", "oak", "elm"])}
LATER = {"c": Category.of(["fir", "palm", None])}


def after(component: Any, train: Any, later: Any) -> Any:
    return component.apply(component.finish(component.summarise(train)), later)


def rows(columns: Any) -> dict[str, Any]:
    return {k: v.objects().tolist() if isinstance(v, Category) else v.tolist() for k, v in columns.items()}


def array(*items: float) -> np.ndarray:
    return np.asarray(items, dtype=float)


@pytest.mark.parametrize(("component", "expected"), [
    (OneHot(columns=("c",)), {"c_elm": [0, 0, 0], "c_fir": [1, 0, 0], "c_oak": [0, 0, 0]}),
    (OneHot(columns=("c",), unseen="other", missing="column", min_count=2),
     {"c_elm": [0, 0, 0], "c_oak": [0, 0, 0], "c_other": [1, 1, 0], "c_missing": [0, 0, 1]}),
    (OneHot(columns=("c",), max_categories=1), {"c_oak": [0, 0, 0]}),
    (OneHot(columns=("c",), values=("palm", "fir")), {"c_palm": [0, 1, 0], "c_fir": [1, 0, 0]}),
    (Ordinal(columns=("c",), unseen=-1.0), {"c": [1, -1, None]}),
    (Ordinal(columns=("c",)), {"c": [1, None, None]}),
    (Ordinal(columns=("c",), values=("palm", "fir")), {"c": [1, 0, None]}),
    (NativeCategory(columns=("c",)), {"c": ["fir", None, None]}),
    (NativeCategory(columns=("c",), unseen="other"), {"c": ["fir", "other", None]}),
    (NativeCategory(columns=("c",), unseen="other", min_count=2, other="rare"), {"c": ["rare", "rare", None]}),
])  # fmt: skip
def test_unseen_and_missing_categories_get_the_declared_answer(component: Any, expected: Any) -> None:
    found = {
        name: [None if item != item else item for item in items]
        for name, items in rows(after(component, TRAIN, LATER)).items()
    }
    assert found == expected


@pytest.mark.parametrize("kind", [OneHot, Ordinal, NativeCategory])
def test_an_unseen_category_that_is_refused_names_value_column_and_row(kind: Any) -> None:
    component = kind(columns=("c",), unseen="error")
    with pytest.raises(DataError, match=rf"'{kind.name}'.*column 'c'.*'palm'.*row 1\b"):
        after(component, TRAIN, LATER)
    only_listed = Category(np.asarray([0, -1], dtype=np.int32), ("fir", "palm"))
    assert len(next(iter(after(component, TRAIN, {"c": only_listed}).values()))) == 2


def test_category_codes_mean_the_same_in_every_request() -> None:
    component = NativeCategory(columns=("c",))
    state = component.finish(component.summarise(TRAIN))
    one, two = (component.apply(state, {"c": Category.of(items)})["c"] for items in (["oak", "elm"], ["elm", "oak"]))
    assert one.values == two.values == ("elm", "fir", "oak")
    assert one.codes.tolist() == two.codes.tolist()[::-1] == [2, 0]


def test_a_category_that_is_called_other_is_the_one_of_unseen_values() -> None:
    train, later = {"c": Category.of(["oak", "other"])}, {"c": Category.of(["palm", "other"])}
    found = after(NativeCategory(columns=("c",), unseen="other"), train, later)["c"]
    assert found.values == ("oak", "other")
    assert found.codes.tolist() == [1, 1]
    columns = after(OneHot(columns=("c",), unseen="other"), train, later)
    assert rows(columns) == {"c_oak": [0, 0], "c_other": [1, 1]}


def test_whole_numbers_and_booleans_are_the_same_category_in_training_and_in_a_request() -> None:
    for train, request in ((np.asarray([3, 1, 2]), array(3.0)), (np.asarray([True, False]), array(1.0))):
        found = after(OneHot(columns=("x",), unseen="error"), {"x": train}, {"x": request})
        assert found[f"x_{int(request[0])}"].tolist() == [1]


def test_two_columns_that_would_make_one_name_are_refused() -> None:
    train = {"a": Category.of(["b_c"]), "a_b": Category.of(["c"])}
    with pytest.raises(DataError, match="'a' would both make 'a_b_c'"):
        after(OneHot(columns=("a", "a_b")), train, train)


def test_one_hot_of_thousands_of_values_must_be_asked_for() -> None:
    train = {"c": Category.of(map(str, range(1500)))}
    with pytest.raises(DataError, match=r"'c'.*1,500 values.*max_categories"):
        after(OneHot(columns=("c",)), train, train)
    assert len(after(OneHot(columns=("c",), max_categories=1200), train, train)) == 1200


@pytest.mark.parametrize(("zero", "expected"), [
    ("missing", [2, None, None, None, None]), (9.0, [2, 9, 9, None, None]), (0, [2, 0, 0, None, None]),
])  # fmt: skip
def test_division_by_zero_gets_the_declared_answer(zero: Any, expected: list[Any]) -> None:
    columns = {"a": array(4, 1, 0, NAN, 1), "b": array(2, 0, 0, 0, NAN)}
    found = Ratio(numerator="a", denominator="b", zero=zero).apply({}, columns)["a_per_b"].tolist()
    assert [None if item != item else item for item in found] == expected


def test_division_by_zero_that_is_refused_names_feature_columns_and_row() -> None:
    component = Ratio(numerator="cost", denominator="count", output="each", zero="error")
    with pytest.raises(DataError, match=r"'ratio'.*'each'.*cost / count is 3 / 0.*row 2\b.*'zero'"):
        component.apply({}, {"cost": array(1, NAN, 3), "count": array(2, 0, 0)})


def test_an_inverted_pair_of_names_is_found_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'count'"):
        Ratio(numerator="cost", denominator="counts").inputs(["cost", "count"])
    with pytest.raises(ConfigError, match=r"needs column 'widht' for 'area'.*Did you mean 'width'"):
        Derive(columns={"area": "widht * 2"}).inputs(["width"])
    with pytest.raises(ConfigError, match="need each other: a of b of a"):
        Derive(columns={"a": "b + x", "b": "a"})
    with pytest.raises(ConfigError, match="reads no column"):
        Derive(columns={"one": "1"})
    with pytest.raises(ConfigError, match=r"does not parse.*derive, column area"):
        Derive(columns={"area": "width *"})


def test_derived_columns_build_on_each_other_and_on_whole_numbers_text_and_times() -> None:
    day = np.timedelta64(1, "D")
    start = np.asarray(["2024-01-01", "NaT"], dtype="M8[us]")
    columns = {"n": np.asarray([1, 2]), "c": Category.of(["oak", None]), "start": start, "end": start + day}
    component = Derive(columns={"k": "m + 1", "m": "n * 2", "oak": "c == 'oak'", "days": "(end - start)", "n": "n"})
    assert set(component.inputs(list(columns))) == {"n", "c", "end", "start"}
    found = component.apply({}, columns)
    assert {name: column.dtype for name, column in found.items()} == dict.fromkeys(found, np.dtype("float64"))
    assert rows(found)["k"] == [3, 5]
    assert rows(found)["oak"] == [1, 0]
    assert found["days"][0] == 86_400
    assert np.isnan(found["days"][1])


def test_a_derived_result_that_is_no_number_is_missing_or_refused_but_a_missing_input_is_neither() -> None:
    columns = {"a": array(1, NAN, 0), "b": array(1, 1, 1)}
    found = Derive(columns={"x": "b / a"}).apply({}, columns)["x"]
    np.testing.assert_array_equal(found, [1, NAN, NAN])
    with pytest.raises(DataError, match=r"'derive'.*'x'.*'b / a'.*row 2\b"):
        Derive(columns={"x": "b / a"}, non_finite="error").apply({}, columns)
    with pytest.raises(DataError, match=r"'derive'.*'x'.*does not give numbers"):
        Derive(columns={"x": "c"}).apply({}, {"c": Category.of(["oak"])})


@pytest.mark.parametrize(("negative", "expected"), [
    ("missing", [NAN, np.log1p(2), NAN]), ("zero", [0, np.log1p(2), NAN]), ("signed", [-np.log1p(3), np.log1p(2), NAN]),
])  # fmt: skip
def test_negative_amounts_get_the_declared_answer(negative: Any, expected: list[float]) -> None:
    found = Log(columns=("x",), negative=negative).apply({}, {"x": array(-3, 2, NAN)})["x"]
    np.testing.assert_array_equal(found, expected)


def test_a_negative_amount_that_is_refused_names_column_and_row() -> None:
    with pytest.raises(DataError, match=r"'log'.*'x'.*-3.0 is negative.*row 1\b"):
        Log(columns=("x",)).apply({}, {"x": array(2, -3)})


def test_imputed_columns_hold_no_missing_value_and_say_where_they_did() -> None:
    found = after(Impute(columns=("c",), strategy="most_frequent", indicator=True), TRAIN, LATER)
    assert rows(found) == {"c": ["fir", "palm", "oak"], "c_missing": [0, 0, 1]}
    component = Impute(columns=("x",), strategy="constant", value=-1.0)
    assert component.apply({}, {"x": array(NAN, 2)})["x"].tolist() == [-1, 2]
    numbered = {"c": Category.of([7, 7, 8])}
    assert rows(after(Impute(columns=("c",), strategy="most_frequent"), numbered, {"c": Category.of([None])})) == {
        "c": [7]
    }


def test_of_equally_frequent_values_the_first_in_order_fills_in() -> None:
    component = Impute(columns=("c",), strategy="most_frequent")
    for items in (["oak", "elm"], ["elm", "oak"]):
        assert component.finish(component.summarise({"c": Category.of(items)})) == {"columns": {"c": "elm"}}


def test_an_empty_training_column_is_refused_by_name_where_it_cannot_be_fitted() -> None:
    gone = {"x": np.full(4, NAN)}
    for component in (Impute(columns=("x",)), Bins(columns=("x",))):
        with pytest.raises(DataError, match=r"column 'x'.*no value in the training rows"):
            after(component, gone, gone)
    assert np.isnan(after(Scale(columns=("x",)), gone, gone)["x"]).all()


@pytest.mark.parametrize(("component", "column", "said"), [
    (Scale(columns=("x",)), Category.of(["a"]), "'scale'.*'x'.*holds text"),
    (Scale(columns=("x",)), np.asarray(["2024-01-01"], dtype="M8[D]"), "'x'.*holds times.*'dateparts'"),
    (Scale(columns=("x",)), array(1, np.inf), "'x'.*infinite"),
    (Scale(columns=("x",)), array(1, 1e300), "'scale'.*'x'.*too large"),
    (Impute(columns=("x",)), Category.of(["a"]), "'impute'.*'x'.*holds text"),
    (OneHot(columns=("x",)), np.asarray(["2024-01-01"], dtype="M8[D]"), "'onehot'.*'x'.*holds times"),
    (DateParts(columns=("x",)), array(1), "'dateparts'.*'x'.*does not hold times"),
    (Impute(columns=("x",), strategy="constant", value="none"), array(1), "'x'.*holds numbers.*'none'"),
    (Clip(columns=("x",), high_quantile=1.0), array(1, np.inf), "'clip'.*'x'.*infinite"),
])  # fmt: skip
def test_a_column_of_the_wrong_kind_is_refused_by_name(component: Any, column: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        after(component, {"x": column}, {"x": column})


@pytest.mark.parametrize(("kind", "fields"), [
    (Impute, {"strategy": "constant"}), (Impute, {"value": 3.0}), (Clip, {}), (Clip, {"low": 2.0, "high": 1.0}),
    (Clip, {"low": 2.0, "low_quantile": 0.1}), (Bins, {"method": "edges"}), (Bins, {"edges": (1.0,)}),
    (Bins, {"method": "edges", "edges": (2.0, 1.0)}), (OneHot, {"unseen": "error", "min_count": 2}),
    (Ordinal, {"values": ("a", "a")}),
])  # fmt: skip
def test_fields_that_contradict_each_other_are_refused_before_anything_runs(kind: Any, fields: Any) -> None:
    with pytest.raises(ConfigError, match=kind.name):
        kind(columns=("x",), **fields)


def test_bins_hold_their_lower_edge_and_reach_beyond_the_training_rows() -> None:
    later = {"x": array(-5, 18, 17.9, 65, 1e9, NAN)}
    found = Bins(columns=("x",), method="edges", edges=(18.0, 65.0)).apply({}, later)["x"]
    np.testing.assert_array_equal(found, [0, 1, 0, 2, 2, NAN])
    fitted = after(Bins(columns=("x",), method="width", count=2), {"x": array(0, 10)}, later)["x"]
    np.testing.assert_array_equal(fitted, [0, 1, 1, 1, 1, NAN])


def test_clip_tames_infinite_values() -> None:
    columns = {"x": array(*range(100), np.inf, NAN)}
    found = after(Clip(columns=("x",), low=5.0, high_quantile=0.9), columns, columns)["x"]
    assert np.nanmax(found) == 90
    assert np.nanmin(found) == 5
    assert np.isnan(found[-1])


def test_a_transform_read_back_from_json_gives_equal_bytes(tmp_path: Any) -> None:
    numbers = np.random.default_rng(3).normal(size=200)
    columns = {"x": numbers, "c": Category.of((numbers * 2).round().astype(int).astype(str))}
    kinds = {cls.name: cls for cls in (Scale, Bins, Impute, Clip, OneHot, Ordinal)}
    for component in (
        Scale(columns=("x",)), Scale(columns=("x",), method="robust"), Bins(columns=("x",)), Impute(columns=("x",)),
        Clip(columns=("x",), low_quantile=0.1), OneHot(columns=("c",)), Ordinal(columns=("c",)),
    ):  # fmt: skip
        inputs = component.inputs(list(columns))
        seen = {name: columns[name] for name in inputs}
        transform = Transform(component, inputs, component.finish(component.summarise(seen)), "label")
        body = json.loads(json.dumps(transform.plain(), allow_nan=False))
        built = Transform.of(body, Directory(tmp_path, lambda stage, use, config: kinds[use](**config)))
        made, again = transform(columns), built(columns)
        assert {k: v.tobytes() for k, v in made.items() if not isinstance(v, Category)} == {
            k: v.tobytes() for k, v in again.items() if not isinstance(v, Category)
        }
