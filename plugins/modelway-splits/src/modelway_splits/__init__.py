"""Splitters: holdout and cross-validation, by chance, class, group, time or a declared column."""

from __future__ import annotations

from modelway import Splitter, hookimpl
from modelway_splits.chance import KFold, Random
from modelway_splits.column import Column, ColumnKFold
from modelway_splits.group import Group, GroupKFold
from modelway_splits.stratified import Stratified, StratifiedKFold
from modelway_splits.time import Rolling, Time


@hookimpl
def splitters() -> list[type[Splitter]]:
    """Offer five holdout splits, and cross-validation of each kind."""
    return [Random, KFold, Stratified, StratifiedKFold, Group, GroupKFold, Time, Rolling, Column, ColumnKFold]
