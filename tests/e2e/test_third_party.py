"""A plugin of someone else: installed, selected by name, and recorded like any other."""

from __future__ import annotations

import json
from typing import Any


def test_a_third_party_trainer_is_selected_by_name(bench: Any, installed: Any) -> None:
    env = {"PYTHONPATH": str(installed("good"))}
    done = bench.apart("run", "shop", "model=majority", "model.smoothing=0.5", "--json", **env)
    assert done.code == 0, done.err
    outcome = json.loads(done.out)
    assert outcome["status"] == "done"
    model = bench.apart("trace", outcome["steps"]["model"]["digest"], "--json", **env)
    used = json.loads(model.out)["links"][0]["components"]["majority"]
    assert used["use"] == "majority"
    assert "modelway_majority.trainer" in used["code"]
    assert (
        bench.apart("run", "shop", "model=majority", "model.smoothing=0.5", "--json", **env).json["steps"]["model"][
            "status"
        ]
        == "cached"
    )
    listed = json.loads(bench.apart("plugins", "--json", **env).out)
    assert next(p for p in listed if p["name"] == "majority")["components"] == ["train/majority"]


def test_without_the_plugin_its_artifacts_are_not_guessed_at(bench: Any, installed: Any) -> None:
    env = {"PYTHONPATH": str(installed("good"))}
    assert bench.apart("run", "shop", "model=majority", **env).code == 0
    done = bench("run", "shop", "model.use=majority")
    assert done.code == 5
    assert "No trainer is named 'majority'" in done.err
    rows = bench.root / "rows.csv"
    rows.write_text("visits,pages,minutes,device\n5,3,4,phone\n")
    scored = bench("score", "shop", str(rows), str(bench.root / "scored.csv"))
    assert scored.code == 5
    assert "majority" in scored.err
    assert not (bench.root / "scored.csv").exists()


def test_an_observer_that_raises_warns_and_the_run_goes_on(bench: Any, installed: Any) -> None:
    done = bench.apart("run", "shop", PYTHONPATH=str(installed("rude")))
    assert done.code == 0, done.err
    assert "warning: The observer rude failed at run_started: the observer has had enough" in done.err
