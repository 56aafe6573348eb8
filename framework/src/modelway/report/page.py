"""The report as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelway.report import words
from modelway.report.draw import inline
from modelway.report.plots import Drawing


def page(facts: Mapping[str, Any], plots: Sequence[tuple[Drawing, str]], profile: str = "") -> str:
    """Return the page.

    Args:
        facts: As ``collect`` returns them, with ``contributions``.
        plots: Each plot with its SVG.
        profile: Address of the page about the table, relative to this one.

    Raises:
        ImportError: jinja2, of the extra ``pages``, is not installed.
    """
    import yaml
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("modelway.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        number=words.number, plain=words.plain, size=words.size, seconds=words.seconds, moment=words.moment,
        brief=words.brief, texts=_texts, interval=_interval,
    )  # fmt: skip
    facts = {**facts, "phases": dict(reversed(facts["phases"].items()))}  # held-out rows first
    shown: list[dict[str, Any]] = [
        {"drawing": drawing, "svg": Markup(inline(drawn, drawing.name, f"{drawing.metric} {drawing.caption}".strip()))}
        for drawing, drawn in plots
    ]  # fmt: skip
    by_metric: dict[str, list[Any]] = {}
    for one in shown:
        if one["drawing"].metric:
            by_metric.setdefault(one["drawing"].metric, []).append(one)
    return environment.get_template("page.html.j2").render(
        facts=facts,
        metrics={metric["metric"]: metric for metric in facts["metrics"]},
        plots=by_metric,
        of_features=[one for one in shown if not one["drawing"].metric],
        steps=grouped(facts["steps"]),
        profile=profile,
        config=yaml.safe_dump(facts["config"], sort_keys=False, allow_unicode=True),
    )


def grouped(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps, those that a cross-validation repeats by fold as one: the last, with the others below it."""
    cards: dict[str, dict[str, Any]] = {}
    for step in steps:
        name, _, fold = step["name"].partition("[")
        before = cards.get(name, {"folds": []})["folds"]
        cards[name] = {**step, "folds": [*before, {**step, "fold": fold.rstrip("]")}] if fold else []}
    return list(cards.values())


def _texts(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of a table as texts, each column's figures alike."""
    return list(zip(*(words.column(column) for column in zip(*table["rows"], strict=True)), strict=True))


def _interval(one: Mapping[str, Any], currency: str = "") -> str:
    if one["low"] is not None and one["high"] is not None:
        return words.interval(one["low"], one["high"], currency)
    return f"± {words.number(one['std'], currency)} over folds" if one.get("std") is not None else ""
