"""How far two profiles of a column are apart, from the profiles alone.

The measures need no rows: a stored profile is a drift reference. Numbers are compared in the bins between the deciles
of the reference (exact up to 2,048 distinct values, and off by the profile's stated rank error beyond); texts,
booleans and declared categories value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from modelway_profile.facts import counted
from modelway_profile.numeric import NumberColumn
from modelway_profile.quantiles import quantiles, share_up_to

if TYPE_CHECKING:
    from modelway_profile.packing import Array
    from modelway_profile.texts import TextColumn

#: Bins of numbers.
BINS = 10
#: Values above which texts are no categories that can be compared.
CATEGORIES = 1000
# Share that an empty bin counts as, so that the logarithm is finite
_EMPTY = 1e-4


def psi(a: Array, b: Array) -> float:
    """Return the population stability index of two arrays of rows by bin: sum of (b - a) ln(b / a) over shares."""
    import numpy as np

    p, q = (np.maximum(side / max(side.sum(), 1), _EMPTY) for side in (a, b))
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(a: Array, b: Array) -> float:
    """Return the Jensen-Shannon distance of rows by bin: the root of the divergence in bits, 0 to 1."""
    import numpy as np

    p, q = (side / max(side.sum(), 1) for side in (a, b))
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        held = side > 0
        total += float((side[held] * np.log2(side[held] / middle[held])).sum()) / 2
    return float(max(0.0, total) ** 0.5)


def chi_squared(a: Array, b: Array) -> dict[str, float]:
    """Return Pearson's chi-squared of the two samples by bin, its degrees of freedom, and Cramer's V (0 to 1)."""
    held = (a + b) > 0
    a, b = a[held], b[held]
    rows = float(a.sum() + b.sum())
    if not (a.sum() and b.sum()):
        return {"statistic": 0.0, "freedom": 0.0, "cramers_v": 0.0}
    found = 0.0
    for side in (a, b):
        expected = (a + b) * (side.sum() / rows)
        found += float(((side - expected) ** 2 / expected).sum())
    return {"statistic": found, "freedom": float(len(a) - 1), "cramers_v": (found / rows) ** 0.5}


def kolmogorov_smirnov(a: NumberColumn, b: NumberColumn) -> float:
    """Return the largest difference between the two shares of rows up to a value."""
    import numpy as np

    (x, n), (y, m) = a.weighed(), b.weighed()
    points = np.concatenate([x, y])
    return float(np.abs(share_up_to(x, n, points) - share_up_to(y, m, points)).max(initial=0.0))


def cuts(reference: NumberColumn) -> Array:
    """Return the values between the bins of a reference: its deciles.

    A value that takes up more than one of them gets a bin of its own: rare ones above it would share its bin otherwise.
    """
    import numpy as np

    values, counts = reference.weighed()
    shares = [i / BINS for i in range(1, BINS)]
    found = quantiles(values, counts, float(reference.low or 0), float(reference.high or 0), shares)
    edges, times = np.unique(found, return_counts=True)
    return np.unique(np.concatenate([edges, np.nextafter(edges[times > 1], np.inf)]))


def names_of(edges: Array, shown: Callable[[float], str]) -> list[str]:
    """Return what to call the bins between ``cuts``."""
    import numpy as np

    bounds = [-np.inf, *edges.tolist(), np.inf]
    made = []
    for i, (low, high) in enumerate(pairwise(bounds)):
        alone = high == np.nextafter(low, np.inf)
        after = i > 1 and low == np.nextafter(bounds[i - 1], np.inf)
        if low == -np.inf:
            made.append("all" if high == np.inf else f"below {shown(high)}")
        elif alone:
            made.append(shown(low))
        else:
            start = f"above {shown(bounds[i - 1])}" if after else f"from {shown(low)}"
            made.append(start if high == np.inf else f"{start} to {shown(high)}")
    return made


def in_bins(column: NumberColumn, edges: Array) -> Array:
    """Return a column's rows below the first edge, from each edge to the next, and from the last one on."""
    import numpy as np

    values, counts = column.weighed()
    below = share_up_to(values, counts, edges, below=True) * column.held
    return np.diff(np.concatenate([[0.0], below, [float(column.held)]]))


def by_value(a: NumberColumn | TextColumn, b: NumberColumn | TextColumn) -> tuple[list[str], Array, Array] | None:
    """Return the values of either column and how often each occurs in both; None where there are too many."""
    import numpy as np

    x, y = counted(a), counted(b)
    if x is None or y is None or len(x) > CATEGORIES or len(y) > CATEGORIES:
        return None
    names = list(dict.fromkeys([*x, *y]))
    p, q = (np.asarray([side.get(name, 0) for name in names], dtype=np.float64) for side in (x, y))
    return names, p, q


def apart(a: NumberColumn | TextColumn, b: NumberColumn | TextColumn, *, categories: bool) -> dict[str, Any]:
    """Return the measures of how far column ``b`` is from its reference ``a``.

    Args:
        a: The reference.
        b: The column to compare.
        categories: Whether numbers are categories, to be compared value by value.

    Returns:
        ``psi``, ``js`` and, for numbers, ``ks``, for categories ``chi2``; nothing where one side has no value, or more
        texts than can be compared.
    """
    if not (a.held and b.held):
        return {}
    if isinstance(a, NumberColumn) and isinstance(b, NumberColumn) and not categories:
        edges = cuts(a)
        x, y = in_bins(a, edges), in_bins(b, edges)
        return {"psi": psi(x, y), "ks": kolmogorov_smirnov(a, b), "js": jensen_shannon(x, y)}
    shared = by_value(a, b)
    if shared is None:
        return {}
    _, x, y = shared
    return {"psi": psi(x, y), "js": jensen_shannon(x, y), "chi2": chi_squared(x, y)}


def is_category(facts: Mapping[str, Any]) -> bool:
    """Return whether a column's type makes its values categories."""
    return facts["type"] in ("category", "string", "boolean")
