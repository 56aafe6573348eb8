"""Arithmetic on tensors of float64 and times, as numpy does it."""

from __future__ import annotations

from functools import cache

from modelway.graph import MISSING_TIME, Graph

#: Days of 400 years, and how often they are added before dividing, since ONNX divides whole numbers towards zero.
_ERA, _SHIFT = 146_097, 25
#: Days from the first of the year -10,000 to 1970-01-01.
_START = 719_528 + _SHIFT * _ERA
_DAY, _HOUR = 86_400_000_000, 3_600_000_000


class Arithmetic:
    """Writes operations that ONNX has no operator for.

    Args:
        graph: The graph to write into.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def number(self, value: float) -> str:
        """Return a constant."""
        return self.graph.constant([float(value)])

    def whole(self, value: int) -> str:
        """Return a constant whole number."""
        return self.graph.constant([value], "int64")

    def log1p(self, x: str, width: int = 1) -> str:
        """Return log(1 + x), exact to the last digits for small x: log(u) x / (u - 1) of the rounded u = 1 + x.

        The formula is W. Kahan's, as Goldberg gives it in "What every computer scientist should know about
        floating-point arithmetic" (1991), theorem 4. An infinite x gives NaN.
        """
        add, one = self.graph.add, self.number(1)
        u = add("Add", x, one, width=width)
        d = add("Sub", u, one, width=width)
        mended = add("Mul", add("Log", u, width=width), add("Div", x, d, width=width), width=width)
        return add("Where", add("Equal", d, self.number(0), width=width), x, mended, width=width)

    def finite(self, x: str, width: int = 1) -> str:
        """Return where a number is neither infinite nor NaN."""
        add = self.graph.add
        return add("Not", add("IsNaN", add("Sub", x, x, width=width), width=width), width=width)

    def finite_or_missing(self, x: str, width: int = 1) -> str:
        """Return numbers, NaN where they are infinite: the difference of infinity and itself is NaN."""
        return self.graph.add("Add", self.graph.add("Sub", x, x, width=width), x, width=width)

    def remainder(self, a: str, b: str) -> str:
        """Return a modulo b, with the sign of b."""
        add = self.graph.add
        r = add("Mod", a, b, fmod=1)
        zero = self.number(0)
        turned = add("And", add("Not", add("Equal", r, zero)),
                     add("Xor", add("Less", r, zero), add("Less", b, zero)))  # fmt: skip
        return add("Where", turned, add("Add", r, b), r)

    def floor_divide(self, a: str, b: str) -> str:
        """Return the whole number of times that b goes into a; a division by zero is that of ``a / b``."""
        add = self.graph.add
        times = add("Div", add("Sub", a, self.remainder(a, b)), b)
        rounded = add("Floor", add("Add", times, self.number(0.5)))
        return add("Where", add("Equal", b, self.number(0)), add("Div", a, b), rounded)

    def rounded(self, x: str, decimals: int) -> str:
        """Return numbers rounded to decimals, halves to even."""
        add, power = self.graph.add, self.number(10.0 ** abs(decimals))
        if not decimals:
            return add("Round", x)
        there, back = ("Mul", "Div") if decimals > 0 else ("Div", "Mul")
        return add(back, add("Round", add(there, x, power)), power)

    def if_known(self, time: str, result: str) -> str:
        """Return a whole number as float64, NaN where the time that it is of is missing."""
        gone = self.graph.add("Equal", time, self.whole(MISSING_TIME))
        return self.graph.add("Where", gone, self.number(float("nan")), self.graph.add("Cast", result, to="float64"))

    def part(self, time: str, part: str) -> str:
        """Return a part of a time as a whole number: year, month, day, weekday, hour, dayofyear, is_weekend.

        The Gregorian calendar repeats every 400 years. A month is found by its number among their 4800: half a month
        ahead, the length of an average one gives that number, or the next.
        """
        add = self.graph.add
        gone = add("Equal", time, self.whole(MISSING_TIME))
        time = add("Where", gone, self.whole(0), time)  # so that a table of months has a place for it
        start = add("Add", time, self.whole(_START * _DAY))
        if part == "hour":
            return add("Mod", add("Div", start, self.whole(_HOUR)), self.whole(24))
        days = add("Div", start, self.whole(_DAY))
        if part in ("weekday", "is_weekend"):  # 1970-01-01 was a Thursday
            found = add("Mod", add("Add", days, self.whole((3 - _START) % 7)), self.whole(7))
            return found if part == "weekday" else add("Cast", add("Greater", found, self.whole(4)), to="int64")
        day = add("Mod", days, self.whole(_ERA))
        firsts = self.graph.constant(_firsts(), "int64", (4801,))
        ahead = add("Mul", add("Add", day, self.whole(15)), self.whole(4800))
        guess = add("Div", ahead, self.whole(_ERA))
        late = add("Less", day, add("Gather", firsts, guess))
        month = add("Sub", guess, add("Cast", late, to="int64"))
        if part == "month":
            return add("Add", add("Mod", month, self.whole(12)), self.whole(1))
        year = add("Div", month, self.whole(12))
        if part == "year":
            eras = add("Mul", add("Div", days, self.whole(_ERA)), self.whole(400))
            return add("Add", add("Add", eras, year), self.whole(-400 * _SHIFT))
        first = month if part == "day" else add("Mul", year, self.whole(12))
        return add("Add", add("Sub", day, add("Gather", firsts, first)), self.whole(1))


@cache
def _firsts() -> tuple[int, ...]:
    """Return the day on which each of 4800 months begins, from the first of the year 0, and the end of all."""
    found, day = [], 0
    for year in range(400):
        leap = year % 4 == 0 and (year % 100 != 0 or year == 0)
        for length in (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31):
            found.append(day)
            day += length
    return (*found, day)
