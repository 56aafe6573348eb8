"""Profiles of tables: what they hold, how two of them differ, and pages about both."""

from __future__ import annotations

from modelway import Profiler, hookimpl
from modelway_profile.diff import by_month, describe, diff, over_time
from modelway_profile.page import diff_page, page
from modelway_profile.profiler import TableProfile, merged, profiler_of, summary_of, with_bytes

__all__ = [
    "TableProfile",
    "by_month",
    "describe",
    "diff",
    "diff_page",
    "merged",
    "over_time",
    "page",
    "profiler_of",
    "profilers",
    "summary_of",
    "with_bytes",
]


@hookimpl
def profilers() -> list[type[Profiler]]:
    """Offer ``profile``."""
    return [TableProfile]
