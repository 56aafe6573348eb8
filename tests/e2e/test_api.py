"""The Python API mirrors the commands, and a project's own functions are components."""

from __future__ import annotations

from typing import Any

import pytest

import modelway


@pytest.fixture
def place(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The workspace, for code that finds it by the environment."""
    monkeypatch.setenv("MODELWAY_WORKSPACE", str(bench.root))
    return bench


def test_compose_plan_run_and_open_mirror_the_commands(place: Any) -> None:
    composed = modelway.compose("shop", "model.sharpness=2")
    assert composed.config["model"] == {"use": "means", "sharpness": 2}
    plan = composed.plan()
    assert [step.mark for step in plan.steps] == ["+"] * 11
    assert "model" in str(plan)
    run = composed.run(note="from a notebook")
    assert run.row["status"] == "done"
    assert place.marks("shop", "model.sharpness=2") == dict.fromkeys((step.step.name for step in plan.steps), "=")
    again = modelway.open_run(run.id[:9])
    assert again.id == run.id
    assert again.config == composed.config | {"compute": {"use": "inline"}}
    assert modelway.runs("shop")[0]["note"] == "from a notebook"
    assert again.scores[("hits", "test")] == place("show", run.id, "--json").json["scores"][-2]["value"] or again.scores


def test_artifacts_open_as_what_they_are(place: Any) -> None:
    run = modelway.compose("shop").run()
    frame = run["source"].frame()
    assert list(frame) == ["visits", "pages", "minutes", "device", "bought"]
    assert len(frame) == 400
    split = run["split"]
    assert split.count("train") + split.count("valid") + split.count("test") == 400
    assert run["model"].names == ("visits", "pages", "minutes")
    assert 0.5 < run["metrics"].value("hits") <= 1
    assert set(run["predictions"].table.frame()["phase"]) == {"valid", "test"}
    scored = run["scoring"].score_records([{"visits": 9.0, "pages": 3, "minutes": 8.0, "device": "phone"}])["score"]
    assert 0 <= scored[0] <= 1
    assert run.steps["model"]["wall"] >= 0
    assert "run " in repr(run)


def test_a_booster_opens_as_a_booster(place: Any, cancer: Any) -> None:
    place.add(cancer)
    run = modelway.compose("cancer", "~package", "model.rounds=5").run()
    booster = run["model"].booster
    assert type(booster).__name__ == "Booster"
    assert booster.num_boosted_rounds() <= 5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: modelway.compose("shp"), "Did you mean 'shop'"),
        (lambda: modelway.compose("shop", "model.sharpnes=1"), "Did you mean 'sharpness'"),
        (lambda: modelway.open_run("nope"), "no run 'nope'"),
        (lambda: modelway.compose("shop").run()["modl"], "Did you mean 'model'"),
        (lambda: modelway.compose("shop").plan(start="modl"), "Did you mean 'model'"),
    ],
)
def test_mistakes_raise_what_the_commands_print(place: Any, call: Any, said: str) -> None:
    with pytest.raises(modelway.ConfigError, match=said):
        call()


def test_open_run_without_any_run_says_so(place: Any) -> None:
    with pytest.raises(modelway.ConfigError, match="no run"):
        modelway.open_run()


def test_a_gate_that_refuses_raises_and_leaves_the_run_on_record(place: Any) -> None:
    from modelway.errors import GateError

    with pytest.raises(GateError, match="not released"):
        modelway.compose("shop", "gates.good.at_least=2").run()
    assert modelway.open_run().row["status"] == "refused"
    assert modelway.open_run()["metrics"].value("hits") > 0


def test_decorated_functions_are_components_with_checked_fields(place: Any) -> None:
    plugin = place.root / "projects/shop/plugin.py"
    plugin.write_text(plugin.read_text() + DECORATED)
    place.edit(
        "projects/shop/conf/config.yaml",
        "\nmodel: {",
        "  pace: {use: pace, columns: [visits, pages], floor: 0.5}\n\nmodel: {",
    )
    place.edit(
        "projects/shop/conf/config.yaml",
        "  schema: {use: pandera}",
        "  schema: {use: pandera}\n  many: {use: many, rows: 10}",
    )
    place.edit(
        "projects/shop/conf/config.yaml",
        "split: {use: random, test: 0.25, valid: 0.2}",
        "split: {use: alternate, every: 4}",
    )
    place.edit("projects/shop/conf/config.yaml", "  auc: {use: roc_auc, bootstrap: 0}", "  spread: {use: spread}")
    run = modelway.compose("shop").run()
    assert run["split"].count("test") == 100
    assert [transform.label for transform in run["features"].items] == ["centre", "pace"]
    assert run.scores[("spread.low", "test")] < run.scores[("spread.high", "test")]
    with pytest.raises(modelway.ConfigError, match=r"features\.pace\.flor.*Did you mean 'floor'"):
        modelway.compose("shop", "features.pace.flor=1")
    with pytest.raises(modelway.ConfigError, match=r"split\.every.*whole number"):
        modelway.compose("shop", "split.every=often")
    done = place("run", "shop", "checks.many.rows=1000")
    assert done.code == 4
    assert "more than 1000 rows" in done.err
    assert place("run", "shop").code == 0


DECORATED = '''

from modelway import Finding, Findings, Score, check, feature, splitter


@feature
def pace(columns: Columns, *, floor: float = 0.0) -> Columns:
    """Return pages per visit."""
    import numpy as np

    return {"pace": columns["pages"] / np.maximum(columns["visits"], floor)}


@check
def many(table: Table, run: Run, *, rows: int) -> Findings:
    """Ask for rows."""
    found = () if table.rows > rows else (Finding("many", "", 1, text=f"more than {rows} rows"),)
    return Findings(found, table.rows, 1)


@splitter
def alternate(table: Table, run: Run, *, every: int = 5) -> Split:
    """Test on every so many rows."""
    import numpy as np

    codes = np.where(np.arange(table.rows) % every == 0, 3, 1)
    return Split.of(table, {"holdout": codes}, run)


@metric
def spread(predictions: Predictions) -> Scores:
    """Return the lowest and the highest score."""
    return Scores.named({"low": Score(float(predictions.score.min())), "high": Score(float(predictions.score.max()))})
'''
