"""Stages before learning: acquire, prepare, validate, profile, split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelway.component import Component
from modelway.context import Run
from modelway.errors import ConfigError, PluginError
from modelway.schema import Schema, Task
from modelway.values import Columns, Findings, Profile, Split, Table

if TYPE_CHECKING:
    from modelway.graph import Graph, Wire, Wires


class Source(Component, ABC):
    """acquire: where a table comes from."""

    stage: ClassVar[str] = "acquire"

    @abstractmethod
    def version(self, run: Run) -> str:
        """Identify the data without loading it: equal text means equal rows.

        Raises:
            DataError: the source is absent or unreadable.
        """

    @abstractmethod
    def load(self, run: Run) -> Table:
        """Load the rows, with ``run.table`` or ``run.keep``.

        Raises:
            DataError: the source is absent, empty, cut short, or not what it claims to be.
        """


class Preparer(Component, ABC):
    """prepare: clean, join, aggregate, derive; nothing is fitted here."""

    stage: ClassVar[str] = "prepare"
    #: Whether a row's result needs that row only, so that the step travels with the model into the service.
    row: ClassVar[bool] = False
    #: Whether the result depends on ``run.schema``, so that the step is made anew when that changes.
    of_schema: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Make the prepared table from tables by label; ``tables["table"]`` is what the step before made.

        Raises:
            DataError: a column that the step needs is absent, or rows are lost that may not be.
        """


class RowPreparer(Preparer, ABC):
    """A preparer whose result for a row needs that row only."""

    row: ClassVar[bool] = True

    @abstractmethod
    def apply(self, columns: Columns) -> Columns:
        """Return the changed columns, of as many rows; needs numpy only, since it runs in services too."""

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write ``apply`` into a graph: all the columns, changed.

        Raises:
            ConfigError: the step, as it is configured, cannot be written.
        """
        raise ConfigError(f"The step '{self.name}' cannot write itself as ONNX")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Apply to every batch of the table; columns that the step passes on keep their arrow type."""
        from modelway.values import from_arrow, to_arrow

        def change(batch: Any) -> Any:
            columns = from_arrow(batch)
            made = self.apply(columns)
            changed = to_arrow({name: column for name, column in made.items() if column is not columns.get(name)})
            origin = {name: changed if name in changed.column_names else batch for name in made}
            return type(batch).from_pydict({name: table.column(name) for name, table in origin.items()})

        return tables["table"].map(change, run)


class Check(Component, ABC):
    """validate: whether a table is what it was declared to be.

    A check with a field ``table`` that names a source looks at that source's table, otherwise at the prepared one.
    """

    stage: ClassVar[str] = "validate"
    #: Whether it checks ``run.schema``, so that each source with a schema of its own is checked too.
    of_schema: ClassVar[bool] = False
    #: Whether it reads ``run.tables``: every source's table.
    across: ClassVar[bool] = False

    def version(self, run: Run) -> str:
        """Return what the findings depend on beside table and configuration, such as today's date; mostly nothing."""
        return ""

    @abstractmethod
    def check(self, table: Table, run: Run) -> Findings:
        """Check every rule over every part, and report all that is broken; ``run.schema`` is the declared schema."""


class Profiler(Component, ABC):
    """profile: what a table holds, as a summary that merges."""

    stage: ClassVar[str] = "profile"

    def bound(self, schema: Schema, task: Task) -> Self:
        """Return the profiler with what is declared about the table; one that does not need to know returns itself."""
        return self

    @abstractmethod
    def summarise(self, columns: Columns) -> Any:
        """Summarise one batch."""

    @abstractmethod
    def merge(self, a: Any, b: Any) -> Any:
        """Merge two summaries; ``a`` is of earlier rows."""

    @abstractmethod
    def finish(self, summary: Any) -> Profile:
        """Turn the summary of all rows into a profile."""

    def describe(self, profile: Profile) -> dict[str, Any]:
        """Return what a profile says, as plain JSON.

        ``table`` holds ``rows`` and, where there is a time, its ``volume``; ``columns``, by name, any of ``type``,
        ``role``, ``missing``, ``distinct``, ``mean``, ``std``, ``min``, ``max``, ``quantiles``, ``top``, ``target``;
        ``warnings``, worst first, have ``column``, ``severity`` and ``text``.

        Raises:
            PluginError: the profiler cannot.
        """
        raise self._cannot("describe a profile")

    def diff(self, a: Profile, b: Profile, months: Mapping[str, Profile] | None = None) -> dict[str, Any]:
        """Return what differs in ``b`` from the reference ``a``, as plain JSON.

        ``rows`` are those of both; ``added`` and ``removed`` name columns; ``columns`` hold, by name, ``verdict``
        (``same``, ``moved``, ``far`` or ``passing``), ``why`` and measures such as ``psi``; ``order`` names the worst
        first. With ``months``, profiles by month, each column has its ``psi`` against ``a`` by month in ``by_month``.

        Raises:
            PluginError: the profiler cannot.
        """
        raise self._cannot("compare profiles")

    def page(self, profile: Profile, title: str) -> str:
        """Return a page about a profile, as HTML that needs nothing from elsewhere.

        Raises:
            PluginError: the profiler cannot.
        """
        raise self._cannot("make a page")

    def diff_page(self, a: Profile, b: Profile, title: str, months: Mapping[str, Profile] | None = None) -> str:
        """Return a page about what ``diff`` tells, as HTML that needs nothing from elsewhere.

        Raises:
            PluginError: the profiler cannot.
        """
        raise self._cannot("make a page of two profiles")

    def _cannot(self, what: str) -> PluginError:
        return PluginError(
            f"The profiler '{self.name}' does not {what}", where=self.distribution,
            mend="Declare 'profile: {use: profile}' of the distribution modelway-profile",
        )  # fmt: skip


class Splitter(Component, ABC):
    """split: which rows train, validate and test, per fold; moves no data."""

    stage: ClassVar[str] = "split"
    seeded: ClassVar[bool] = True

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds, known from the configuration alone; the last one's model is kept."""
        return ("holdout",)

    @abstractmethod
    def split(self, table: Table, run: Run) -> Split:
        """Label the rows; ``Split.of(table, {fold: codes}, run)`` makes the split.

        Raises:
            DataError: the table cannot be split as declared.
        """
