"""Card payments that never happened: a seeded town of customers, terminals and thieves.

Each day is drawn by generators of its own, so that any days can be made alone, in any order, on any machine, and more
days leave the days before them as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelway import ConfigError, Run, Source, Table, param

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

#: Kinds of terminal: the share of each, and what a payment there is multiplied by.
KINDS = {
    "grocery": (0.30, 0.8), "restaurant": (0.22, 0.7), "fuel": (0.10, 1.1), "clothes": (0.16, 1.3),
    "electronics": (0.07, 2.4), "online": (0.15, 1.0),
}  # fmt: skip
#: Side of the square country, in kilometres.
COUNTRY = 300.0
#: Terminals that a customer pays at by habit.
HABITS = 12
#: Days that a terminal leaks card data, and that a stolen card is used.
TERMINAL_DAYS, CARD_DAYS = 28, 14
#: Room for a day's payments in a transaction's number.
DAY = 1_000_000_000

Drift = Literal["amounts", "habits", "scenario"]


@dataclass(frozen=True, kw_only=True)
class _World(Source):
    """The people and places that every table is made of."""

    seeded = True
    libraries = ("numpy",)

    customers: int = param(1500, "Number of customers, with one card each.", at_least=1)
    terminals: int = param(3000, "Number of payment terminals.", at_least=1)

    def version(self, run: Run) -> str:
        """Identify the rows: they follow from the fields, the seed and this code alone."""
        return f"generated, seed {run.seed}"

    def towns(self, run: Run) -> tuple[Array, Array]:
        """Return the places of the towns in kilometres, shape (towns, 2), and their shares of the people."""
        rng = run.rng("towns")
        count = max(3, round(self.customers**0.5 / 2))
        weight = 1 / (1 + rng.permutation(count))
        return rng.uniform(0, COUNTRY, (count, 2)), weight / weight.sum()

    def places(self, run: Run, what: str, count: int, spread: float) -> tuple[Array, Array]:
        """Return the town of each customer or terminal, sorted, and its place, shape (count, 2)."""
        import numpy as np

        (centres, weight), rng = self.towns(run), run.rng("places", what)
        town = np.sort(rng.choice(len(weight), count, p=weight))
        return town, centres[town] + rng.normal(0, spread, (count, 2))


@dataclass(frozen=True, kw_only=True)
class Customers(_World, name="customers"):
    """Where each generated customer lives: ``customer_id``, ``home_x`` and ``home_y`` in kilometres."""

    def load(self, run: Run) -> Table:
        """Make the table."""
        import numpy as np

        _, place = self.places(run, "customers", self.customers, 6.0)
        ids = np.arange(self.customers)
        return run.table([{"customer_id": ids, "home_x": place[:, 0].round(2), "home_y": place[:, 1].round(2)}])


@dataclass(frozen=True, kw_only=True)
class Terminals(_World, name="terminals"):
    """Where each generated terminal stands, and what it sells: ``terminal_id``, ``kind``, ``shop_x``, ``shop_y``."""

    def load(self, run: Run) -> Table:
        """Make the table."""
        import numpy as np
        import pyarrow as pa

        _, place = self.places(run, "terminals", self.terminals, 4.0)
        names = np.asarray(list(KINDS))[terminal_kinds(run, self.terminals)]
        return run.table([pa.table({
            "terminal_id": np.arange(self.terminals), "kind": pa.array(names),
            "shop_x": place[:, 0].round(2), "shop_y": place[:, 1].round(2),
        })])  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Transactions(_World, name="transactions"):
    """Generated card payments, with the frauds among them marked.

    Columns: ``transaction_id``, ``time``, ``customer_id``, ``terminal_id``, ``amount`` in euro, ``fraud``, and
    ``fraud_scenario``: 0 none; 1 a large amount, now and then; 2 a terminal that leaks cards for 28 days; 3 a stolen
    card that for 14 days pays five times the usual amounts; 4, only as drift, bursts of small payments online at night
    that try a card out. Rows come by time, in parts of ``part_days`` days; memory holds a day.
    """

    days: int = param(183, "Number of days.", at_least=1)
    start: str = param("2026-01-01", "First day.")
    rate: float = param(2.0, "Payments of a customer on a day, on average.", above=0)
    part_days: int = param(14, "Days that a part of the table holds.", at_least=1)
    drift: tuple[Drift, ...] = param((), "What changes: amounts (up 40%), habits (new shops and hours), scenario (4).")
    drift_from: int = param(120, "Day, counted from 0, from which the declared drift holds.", at_least=0)

    def load(self, run: Run) -> Table:
        """Make the table, part by part.

        Raises:
            ConfigError: ``start`` is no day.
        """
        import numpy as np

        try:
            start = np.datetime64(self.start, "D")
        except ValueError:
            raise ConfigError(f"'{self.start}' is no day", where="start", mend="Write 2026-01-31") from None
        town = _Town(self, run)
        spans = [range(day, min(day + self.part_days, self.days)) for day in range(0, self.days, self.part_days)]
        made = []
        for done, span in enumerate(spans, 1):
            made.append(run.table(_tables(town, span, start)))
            run.progress("parts", done, len(spans))
        return Table(made[0].columns, tuple(part for table in made for part in table.parts), run.blobs)


def _tables(town: _Town, days: range, start: Any) -> Iterator[pa.Table]:
    import numpy as np
    import pyarrow as pa

    for day in days:
        second, customer, terminal, amount, scenario = town.day(day)
        time = (start + day).astype("M8[us]") + (second * 1_000_000).astype("m8[us]")
        yield pa.table({
            "transaction_id": day * DAY + np.arange(len(second)), "time": time, "customer_id": customer,
            "terminal_id": terminal, "amount": amount, "fraud": scenario > 0, "fraud_scenario": scenario,
        })  # fmt: skip


class _Town:
    """Everybody's habits, and the payments that follow from them.

    Args:
        source: Sizes and drift.
        run: Gives the random numbers.
    """

    def __init__(self, source: Transactions, run: Run) -> None:
        import numpy as np

        self.source, self.run = source, run
        count = source.customers
        rng = run.rng("customers")
        self.usual = rng.lognormal(3.1, 0.55, count)  # a customer's middling payment
        self.rate = rng.gamma(2.0, source.rate / 2.0, count)  # payments a day
        self.hour = np.where(rng.random(count) < 0.7, rng.normal(13.5, 2.0, count), rng.normal(19.0, 1.5, count))
        kinds = terminal_kinds(run, source.terminals)
        self.kinds = np.asarray([factor for _, factor in KINDS.values()])[kinds]
        online = np.flatnonzero(kinds == list(KINDS).index("online"))
        self.online = online if len(online) else np.arange(source.terminals)
        self.shops = {False: self._shops("habits")}
        if "habits" in source.drift:
            self.shops[True] = self._shops("new habits")
        weight = 1 / np.arange(1, HABITS + 1)
        self.choice = np.cumsum(weight / weight.sum())

    def _shops(self, name: str) -> Array:
        """Return the terminals that each customer frequents, all but a few in the home town: (customers, HABITS)."""
        import numpy as np

        source, rng = self.source, self.run.rng(name)
        homes, _ = source.places(self.run, "customers", source.customers, 6.0)
        towns, _ = source.places(self.run, "terminals", source.terminals, 4.0)
        first = np.searchsorted(towns, homes, "left")
        size = np.searchsorted(towns, homes, "right") - first
        shape = (source.customers, HABITS)
        near = first[:, None] + (rng.random(shape) * size[:, None]).astype(np.int64)
        far = rng.integers(0, source.terminals, shape)
        return np.where((rng.random(shape) < 0.15) | (size[:, None] == 0), far, near)

    def _drifted(self, kind: Drift, day: int) -> bool:
        return kind in self.source.drift and day >= self.source.drift_from

    def day(self, day: int) -> tuple[Array, ...]:
        """Return a day's payments in order of time: second, customer, terminal, amount, scenario; each (payments,)."""
        import numpy as np

        rng, source = self.run.rng("day", day), self.source
        busy = 1.25 if day % 7 in (1, 2) else 0.9  # Friday and Saturday, where day 0 is a Thursday
        customer = np.repeat(np.arange(source.customers), rng.poisson(self.rate * busy))
        rows = len(customer)
        new = self._drifted("habits", day)
        hour = self.hour[customer] + rng.normal(0, 2.5, rows) + (3.0 if new else 0.0)
        second = ((hour % 24) * 3600).astype(np.int64)
        place = np.minimum(np.searchsorted(self.choice, rng.random(rows)), HABITS - 1)
        terminal = self.shops[new][customer, place]
        away = rng.random(rows) < 0.03
        terminal[away] = rng.integers(0, source.terminals, int(away.sum()))
        amount = self.usual[customer] * self.kinds[terminal] * rng.lognormal(0.0, 0.6, rows)
        amount *= 1.4 if self._drifted("amounts", day) else 1.0
        found = self._frauds(day, customer, terminal, amount)
        columns: tuple[Array, ...] = (second, customer, terminal, amount, found)
        if self._drifted("scenario", day):
            columns = tuple(map(np.concatenate, zip(columns, self._tries(day), strict=True)))
        second, customer, terminal, amount, found = columns
        order = np.argsort(second, kind="stable")
        return tuple(c[order] for c in (second, customer, terminal, np.maximum(amount, 0.5).round(2), found))

    def _frauds(self, day: int, customer: Array, terminal: Array, amount: Array) -> Array:
        """Return the scenario of each payment, and raise the amounts of stolen cards in place."""
        import numpy as np

        rng, source = self.run.rng("fraud", day), self.source
        chance = rng.random((3, len(customer)))
        scenario = np.zeros(len(customer), dtype=np.int8)
        leaks = self._struck("leaks", day, TERMINAL_DAYS, source.terminals, 1 / 3000)[terminal]
        scenario[leaks & (chance[0] < 0.7)] = 2
        stolen = self._struck("stolen", day, CARD_DAYS, source.customers, 1 / 2500)[customer] & (chance[1] < 0.4)
        scenario[stolen], amount[stolen] = 3, amount[stolen] * 5
        large = (chance[2] < 0.0006) & (scenario == 0)
        scenario[large], amount[large] = 1, 220 + amount[large] * 4
        return scenario

    def _struck(self, name: str, day: int, last: int, count: int, chance: float) -> Array:
        """Return which customers or terminals were struck within the last days, shape (count,)."""
        import numpy as np

        struck = np.zeros(count, dtype=bool)
        for begin in range(day - last + 1, day + 1):
            rng = self.run.rng(name, begin)
            struck[rng.integers(0, count, rng.poisson(count * chance))] = True
        return struck

    def _tries(self, day: int) -> tuple[Array, ...]:
        """Return bursts of small payments at night: second, customer, terminal, amount, scenario."""
        import numpy as np

        rng = self.run.rng("tries", day)
        cards = rng.integers(0, self.source.customers, rng.poisson(self.source.customers / 600))
        card = np.repeat(cards, 6)
        second = np.repeat(rng.integers(3600, 4 * 3600, len(cards)), 6) + rng.integers(0, 900, len(card))
        terminal = rng.choice(self.online, len(card))
        return second, card, terminal, rng.uniform(1.0, 6.0, len(card)), np.full(len(card), 4, dtype=np.int8)


def terminal_kinds(run: Run, count: int) -> Array:
    """Return the place in ``KINDS`` of each terminal's kind, shape (count,)."""
    return run.rng("kinds").choice(len(KINDS), count, p=[share for share, _ in KINDS.values()])
