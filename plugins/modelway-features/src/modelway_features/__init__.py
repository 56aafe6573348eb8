"""Features: impute, scale, encode, bin, clip and derive columns."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Feature, hookimpl
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


@hookimpl
def features() -> Iterable[type[Feature]]:
    """Offer the features of this distribution."""
    return [Impute, Scale, OneHot, Ordinal, NativeCategory, DateParts, Log, Clip, Bins, Ratio, Derive]
