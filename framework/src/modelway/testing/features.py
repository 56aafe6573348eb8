"""The suite of features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelway.testing.suite import agree, answer, component_of, heavy_after_call, plain_column, strict
from modelway.testing.summaries import SummarySuite, by_row
from modelway.values import Category, Columns, Directory, Transform, length, take


class FeatureSuite(SummarySuite):
    """Checks of a feature; override ``sample`` where it needs columns of its own.

    The sample that comes with it has the columns ``a`` (numbers), ``b`` (whole numbers), ``c`` (text), ``flag``
    (booleans) and ``when`` (times).
    """

    def seen(self, component: Any) -> Columns:
        """Return the columns of the sample that the feature reads."""
        sample = self.sample()
        names = component.inputs(sample)
        assert names, "The feature reads no column of the sample"
        return {name: sample[name] for name in names}

    def state(self, component: Any) -> Any:
        """Return the state that is fitted on the sample."""
        return self.finished(component, component.summarise(self.seen(component)))

    def test_state_is_plain_json(self, tmp_path: Path) -> None:
        """The state travels into bundles and to other languages."""
        component = self.make(tmp_path)
        columns = self.seen(component)
        state = component.finish(component.summarise(columns))
        read = strict(state, "The fitted state")
        assert isinstance(read, dict), f"The fitted state is a {type(state).__name__}, not a mapping"
        made, again = component.apply(state, columns), component.apply(read, columns)
        for name, column in made.items():
            same = agree(plain_column(column), plain_column(again[name]), 0.0)
            assert same, f"Column '{name}' is another once the state went through JSON"

    def test_one_row_gets_what_training_saw(self, tmp_path: Path) -> None:
        """The service applies the feature to one row at a time; the model was trained on batches."""
        component = self.make(tmp_path)
        state = self.state(component)
        by_row(lambda columns: component.apply(state, columns), self.seen(component), self.tolerance)

    def test_missing_values_are_answered(self, tmp_path: Path) -> None:
        """A missing field gives an output or a refusal, never a crash."""
        component = self.make(tmp_path)
        state = self.state(component)
        columns = take(self.seen(component), slice(0, 5))
        expected = list(component.apply(state, columns))
        for name in columns:
            holed = {**columns, name: _all_missing(columns[name])}
            self._answered(component, state, holed, expected, f"'{name}' missing")

    def test_unseen_categories_are_answered(self, tmp_path: Path) -> None:
        """A value that training never saw gives an output or a refusal, and no other columns."""
        component = self.make(tmp_path)
        state = self.state(component)
        columns = take(self.seen(component), slice(0, 5))
        expected = list(component.apply(state, columns))
        for name, column in columns.items():
            if isinstance(column, Category):
                strange = {**columns, name: Category.of(["never seen before"] * 5)}
                self._answered(component, state, strange, expected, f"an unseen value of '{name}'")

    def _answered(self, component: Any, state: Any, columns: Columns, expected: list[str], what: str) -> None:
        made = answer(component.apply, state, columns)
        if made is None:
            return
        assert list(made) == expected, f"With {what} the outputs are {list(made)}, not {expected}"
        assert length(made) == length(columns), f"With {what} there are {length(made)} rows of {length(columns)}"

    def test_a_column_that_is_all_missing_is_fitted_or_refused(self, tmp_path: Path) -> None:
        """A training table may have an empty column; that is no reason for a stack trace."""
        component = self.make(tmp_path)
        columns = {name: _all_missing(column) for name, column in self.seen(component).items()}

        def fit() -> None:
            state = strict(component.finish(component.summarise(columns)), "The state fitted on missing values")
            component.apply(state, columns)

        answer(fit)

    def test_outputs_are_the_same_under_another_order_of_categories(self, tmp_path: Path) -> None:
        """Codes are those of one batch only: an output made of them differs from part to part."""
        component = self.make(tmp_path)
        columns = self.seen(component)
        turned = {
            name: column.recode(column.values[::-1]) if isinstance(column, Category) else column
            for name, column in columns.items()
        }
        state = self.state(component)
        found = self.finished(component, component.summarise(turned))
        assert agree(found, state, self.tolerance), f"Fitted to {found} and {state} by order of the values"
        made, other = component.apply(state, columns), component.apply(state, turned)
        for name, column in made.items():
            same = agree(plain_column(column), plain_column(other[name]), self.tolerance)
            assert same, f"Column '{name}' depends on the order of the values"

    def test_services_need_numpy_only(self, tmp_path: Path) -> None:
        """What a service must install is what the feature imports when applied."""
        component = self.built(tmp_path)
        columns = {
            name: column if isinstance(column, Category) else column.copy()
            for name, column in self.seen(component).items()
        }
        heavy = heavy_after_call(component, "apply", self.state(component), columns)
        assert not heavy, f"apply() imports {', '.join(heavy)}, and services have numpy only"

    def test_a_fitted_transform_is_kept_and_read_back(self, tmp_path: Path) -> None:
        """The transform goes into the model's bundle."""
        component = self.built(tmp_path)
        columns = self.seen(component)
        transform = Transform(component, tuple(columns), self.state(component), "feature")
        folder = Directory(tmp_path / "transform", component_of(type(component)))
        transform.save(folder)
        again = Transform.load(folder)
        made, read = transform(columns), again(columns)
        assert list(made) == list(read), "A transform read back gives other columns"
        for name, column in made.items():
            assert agree(plain_column(column), plain_column(read[name]), 0.0), f"Column '{name}' is another"

    def test_says_whether_it_is_fitted(self, tmp_path: Path) -> None:
        """A feature that says that it is not is never shown the training rows."""
        component = self.make(tmp_path)
        if not component.fitted:
            columns = self.seen(component)
            made, state = component.apply({}, columns), self.state(component)
            assert state == {}, "It has a fitted state, and says fitted = False"
            assert length(made) == length(columns), "It loses rows"


def _all_missing(column: Any) -> Any:
    import numpy as np

    if isinstance(column, Category):
        return Category(np.full(len(column), -1, dtype=np.int32), column.values)
    if column.dtype.kind == "M":
        return np.full(len(column), np.datetime64("NaT"), dtype=column.dtype)
    return np.full(len(column), np.nan)
