"""Every feature keeps to its stage's contract; and each is offered by the plugin."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import modelway_features
import yaml
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

from modelway.testing import FeatureSuite


class TestImputeMedian(FeatureSuite):
    component = Impute(columns=("a", "b", "flag"), indicator=True)


class TestImputeMean(FeatureSuite):
    component = Impute(columns=("a", "b"), strategy="mean")


class TestImputeMostFrequent(FeatureSuite):
    component = Impute(columns=("a", "c", "flag"), strategy="most_frequent")


class TestImputeConstant(FeatureSuite):
    component = Impute(columns=("c",), strategy="constant", value="none")


class TestScaleStandard(FeatureSuite):
    component = Scale(columns=("a", "b", "flag"))


class TestScaleRobust(FeatureSuite):
    component = Scale(columns=("a", "b"), method="robust")


class TestScaleMinmax(FeatureSuite):
    component = Scale(columns=("a", "b"), method="minmax")


class TestOneHot(FeatureSuite):
    component = OneHot(columns=("c", "flag", "b"), unseen="other", missing="column", min_count=3)


class TestOneHotPlain(FeatureSuite):
    component = OneHot(columns=("c",))


class TestOrdinal(FeatureSuite):
    component = Ordinal(columns=("c", "flag"), unseen=-1.0)


class TestCategory(FeatureSuite):
    component = NativeCategory(columns=("c", "b"), max_categories=3, unseen="other")


class TestDateParts(FeatureSuite):
    component = DateParts(
        columns=("when",), parts=("year", "month", "day", "weekday", "hour", "dayofyear", "is_weekend"), cyclic=True
    )


class TestLog(FeatureSuite):
    component = Log(columns=("a", "b"), negative="signed")


class TestClip(FeatureSuite):
    component = Clip(columns=("a", "b"), low=0.0, high_quantile=0.9)


class TestClipDeclared(FeatureSuite):
    component = Clip(columns=("a",), low=0.0)


class TestBins(FeatureSuite):
    component = Bins(columns=("a", "b"))


class TestBinsDeclared(FeatureSuite):
    component = Bins(columns=("a",), method="edges", edges=(1.0, 2.0))


class TestRatio(FeatureSuite):
    component = Ratio(numerator="a", denominator="flag")


class TestDerive(FeatureSuite):
    component = Derive(columns={"twice": "2 * a", "more": "log(twice) / (b - 7)", "red": "c == 'red'"})


def test_every_feature_is_offered_and_put_through_the_suite() -> None:
    offered = {cls.name for cls in modelway_features.features()}
    tested = {suite.component.name for suite in FeatureSuite.__subclasses__() if suite.__module__ == __name__}
    assert offered == tested
    assert len(offered) == 11


def test_every_example_of_the_readme_can_be_declared_and_each_feature_has_one() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    offered = {cls.name: cls for cls in modelway_features.features()}
    examples = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["features"]
    shown = set()
    for example in examples.values():
        cls = offered[example.pop("use")]
        shown.add(cls.name)
        assert set(example) <= {field.name for field in fields(cls)}
        cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in example.items()})
    assert shown == set(offered)
