from __future__ import annotations

from pathlib import Path

import pytest
from modelway_files.bundled import Bundled
from sklearn import datasets

from modelway.testing import SourceSuite, make_run


class TestBundledContract(SourceSuite):
    component = Bundled(dataset="iris")


@pytest.mark.parametrize(
    ("dataset", "classes"),
    [
        ("iris", {"setosa", "versicolor", "virginica"}),
        ("wine", {"class_0", "class_1", "class_2"}),
        ("breast_cancer", {"malignant", "benign"}),
        ("digits", set("0123456789")),
        ("diabetes", None),
    ],
)
def test_rows_and_class_names_are_those_of_scikit_learn(tmp_path: Path, dataset: str, classes: set[str] | None) -> None:
    bunch = getattr(datasets, f"load_{dataset}")()
    frame = Bundled(dataset=dataset).load(make_run(tmp_path)).arrow()  # type: ignore[arg-type]
    assert frame.column_names == [*bunch.feature_names, "target"]
    for i, name in enumerate(bunch.feature_names):
        assert frame.column(name).to_pylist() == bunch.data[:, i].tolist()
    target = frame.column("target").to_pylist()
    if classes is None:
        assert target == bunch.target.tolist()
    else:
        assert set(target) == classes
        assert target == [str(bunch.target_names[i]) for i in bunch.target]
