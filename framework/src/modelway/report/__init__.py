"""The report of a run: what it did, what came out, and why, as facts, as plots, and as one page for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelway.errors import ConfigError, ModelwayError
from modelway.report.contributions import contributions
from modelway.report.facts import collect
from modelway.report.plots import Drawing, drawings, of_features
from modelway.report.record import Record
from modelway.values import Profile, Scores
from modelway.workspace import Workspace

__all__ = ["Report", "make", "write"]


@dataclass(frozen=True)
class Report:
    """A report, before it is written.

    Attributes:
        record: The run.
        facts: What the page says, as plain JSON.
        plots: What is to be drawn.
    """

    record: Record
    facts: dict[str, Any]
    plots: Sequence[Drawing]


def make(workspace: Workspace, what: str = "") -> Report:
    """Gather the report of a run, by id, project, or ``project@version``; by default of the newest.

    Raises:
        ConfigError: nothing on record has that name.
    """
    record = Record.find(workspace, what)
    facts = collect(record)
    added = contributions(record)
    scores = [entry for step in record.of_stage("evaluate") for entry in _scores(record.value(step["name"]))]
    plots = [*drawings(scores), *of_features(facts["importance"], added)]
    facts["contributions"] = added
    facts["plots"] = [{"name": p.name, "metric": p.metric, "caption": p.caption} for p in plots]
    facts["gone"] = dict(record.gone)
    return Report(record, facts, plots)


def _scores(scores: Scores | None) -> Sequence[Any]:
    return scores.entries if scores else ()


def write(report: Report, out: Path) -> list[Path]:
    """Write the page, and beside it the plots as SVG files and the table's profile where the run made one.

    Returns:
        The files, the page first.

    Raises:
        ConfigError: the extra ``pages`` is not installed, or a file cannot be written.
    """
    try:
        from modelway.report.draw import svg
        from modelway.report.page import page

        drawn = [(plot, svg(plot)) for plot in report.plots]
        about = _profile(report.record)
        name = f"{out.stem}-profile.html" if about else ""
        html = page(report.facts, drawn, name)
    except ImportError as error:
        if error.name not in ("matplotlib", "jinja2", "markupsafe"):
            raise
        raise ConfigError(f"A page needs {error.name}", mend="Run: pip install 'modelway[pages]'") from None
    folder = out.parent / f"{out.stem}-plots"
    files = {out: html}
    if about:
        files[out.parent / name] = about
    files |= {folder / f"{_file(plot.name)}.svg": text for plot, text in drawn}
    try:
        (folder if drawn else out.parent).mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"The report cannot be written: {why}", where=str(out), mend="Name another place with --out"
        ) from None
    return list(files)


def _file(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _profile(record: Record) -> str:
    """Return the page about the table, where a step profiled it and its profiler can make one."""
    for step in record.of_stage("profile"):
        profile = record.value(step["name"])
        for used in record.components(step["name"]).values():
            try:
                if isinstance(profile, Profile):
                    profiler = record.plugins.component("profile", used["use"], used["params"])
                    title = f"{record.run['project']}, the table of run {record.run['id']}"
                    return str(profiler.page(profile, title))
            except ModelwayError as error:
                record.gone[step["name"]] = str(error).rstrip(".")
    return ""
