"""Sweeps whose trials go on at once: in threads that share one memory, and in processes that may be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

FAILED = 3
PLUGIN = "projects/shop/plugin.py"
FIT = '        run.log("rows", len(rows))'


def digests(bench: Any, swept: Any) -> dict[str, dict[str, str]]:
    """Return the digest of each step of each trial."""
    return {
        trial["name"]: {s["name"]: s["digest"] for s in bench("show", trial["run"], "--json").json["steps"]}
        for trial in swept["trials"]
    }


def test_trials_side_by_side_make_what_trials_one_by_one_make(
    shop_at: Callable[..., Any], ran_times: Callable[[Any], dict[str, int]], tmp_path: Any
) -> None:
    words = ("run", "shop", "-m", "model.sharpness=0.5,1,2,3", "metrics.hits.cut=0.4,0.6", "--json")
    alone, beside = shop_at(tmp_path / "alone"), shop_at(tmp_path / "beside")
    one_by_one = digests(alone, alone(*words).json)
    at_once = digests(beside, beside(*words, "launcher=threads", "launcher.trials=4").json)
    assert one_by_one == at_once
    times = ran_times(beside)
    assert (times["source"], times["features"], times["model"], times["metrics"]) == (1, 1, 4, 8)
    beside.whole()


def test_a_trial_side_by_side_is_not_charged_for_the_others(bench: Any) -> None:
    """The trial that only waits must not be told to have used the processor time of the one that computes."""
    busy = "            until = time.process_time() + 1\n            while time.process_time() < until: pass"
    wait = f"        import time\n        if self.sharpness == 1:\n            time.sleep(1.5)\n        else:\n{busy}\n"
    bench.edit(PLUGIN, FIT, wait + FIT)
    swept = bench("run", "shop", "-m", "model.sharpness=1,2", "launcher=threads", "launcher.trials=2", "--json").json
    used = {}
    for trial in swept["trials"]:
        steps = {step["name"]: step for step in bench("show", trial["run"], "--json").json["steps"]}
        used[trial["overrides"][0]] = steps["model"]["cpu"]
    assert used["model.sharpness=1"] < 0.5 < used["model.sharpness=2"]


def test_a_process_that_is_lost_costs_its_trial_and_no_other(bench: Any) -> None:
    pytest.importorskip("modelway_dask", reason="it has the launcher 'joblib'")
    lost = "        if self.sharpness == 2:\n            import os\n            os.kill(os.getpid(), 9)\n"
    bench.edit(PLUGIN, FIT, lost + FIT)
    words = ("launcher=joblib", "launcher.n_jobs=1", "launcher.retries=0")
    done = bench.apart("run", "shop", "-m", "model.sharpness=1,2,3", *words)
    assert done.code == FAILED, done.err
    assert "1 of 3 trials failed; the first said: A process was lost" in done.err
    assert "Traceback" not in done.err
    found = bench("sweeps", bench("sweeps", "--json").json[0]["id"], "--json").json
    assert [trial["status"] for trial in found["trials"]] == ["done", "failed", "done"]


def test_a_process_that_starts_with_other_code_than_the_sweep_is_refused(bench: Any) -> None:
    """The first trial changes the project's code, and the second one's process is lost: its next one reads new code."""
    pytest.importorskip("modelway_dask", reason="it has the launcher 'joblib'")
    path = str(bench.root / PLUGIN)
    change = f"import pathlib, os; p = pathlib.Path({path!r}); p.write_text(p.read_text().replace('1e-3', '1e-1'))"
    lost = f"        if self.sharpness == 1:\n            exec({change + '; os.kill(os.getpid(), 9)'!r})\n"
    bench.edit(PLUGIN, FIT, lost + FIT)
    words = ("launcher=joblib", "launcher.n_jobs=1", "launcher.retries=1")
    done = bench.apart("run", "shop", "-m", "model.sharpness=1,2", *words)
    assert done.code == 1, done.err
    assert "This worker has other code than the sweep was submitted with" in done.err
    (sweep,) = bench("sweeps", "--json").json
    assert [trial["status"] for trial in bench("sweeps", sweep["id"], "--json").json["trials"]] == ["failed", "failed"]
