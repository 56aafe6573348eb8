"""From a packaged model to what uses it: serve, score, trace, promote, bundle, and looking back."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Released(NamedTuple):
    """A workspace in which the project ``cancer`` was run and packaged, and what that run said."""

    bench: Any
    outcome: dict[str, Any]
    other: dict[str, Any]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, workspace_at: Callable[[Path], Any], cancer: Path) -> Released:
    bench = workspace_at(tmp_path_factory.mktemp("released"))
    bench.add(cancer)
    outcome = bench("run", "cancer", "--note", "the first", "--json").json
    other = bench("run", "cancer", "~package", "model.max_depth=2", "+tags.kind=trial", "--json").json
    return Released(bench, outcome, other)


@pytest.fixture(scope="module")
def rows(released: Released) -> list[dict[str, Any]]:
    """Rows as an application would send them, and their scores at training time under ``score``."""
    bench = released.bench
    patch = pytest.MonkeyPatch()
    patch.setenv("MODELWAY_WORKSPACE", str(bench.root))
    import modelway

    golden = modelway.open_run(released.outcome["run"])["scoring"].golden
    patch.undo()
    return [{**row, "score": score} for row, score in zip(golden["rows"], golden["scores"], strict=True)]


@pytest.fixture(scope="module")
def server(released: Released) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = released.bench.start("serve", "cancer", "--port", str(port))
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2)
            break
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    else:
        process.kill()
        pytest.fail(f"The service did not start: {process.communicate()}")
    yield address
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("The service did not stop when it was interrupted")
    assert process.returncode == 0, err
    assert "Traceback" not in err
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def post(address: str, body: Any) -> tuple[int, Any]:
    """Send JSON, and return the status and the answer."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/predict", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_service_scores_as_training_did(server: str, rows: list[dict[str, Any]]) -> None:
    asked = [{name: value for name, value in row.items() if name != "score"} for row in rows]
    status, answer = post(server, {"rows": asked})
    assert status == 200
    assert [p["score"] for p in answer["predictions"]] == pytest.approx([row["score"] for row in rows], abs=1e-6)
    assert {p["label"] for p in answer["predictions"]} <= {"malignant", "benign"}


def test_the_service_holds_requests_to_the_declared_schema(server: str, rows: list[dict[str, Any]]) -> None:
    row = {name: value for name, value in rows[0].items() if name != "score"}
    status, answer = post(server, {"rows": [{**row, "mean area": -1}]})
    assert status == 422
    assert "mean area" in json.dumps(answer)


def test_scoring_a_file_gives_the_scores_of_training(
    released: Released, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    names = [name for name in rows[0] if name != "score"]
    given = tmp_path / "rows.csv"
    with given.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    done = released.bench("score", "cancer", str(given), str(tmp_path / "scored.csv"))
    assert done.code == 0, done.err
    assert f"{len(rows)} rows scored by cancer@1" in done.out
    with (tmp_path / "scored.csv").open() as file:
        scored = list(csv.DictReader(file))
    assert [float(row["score"]) for row in scored] == pytest.approx([row["score"] for row in rows], abs=1e-7)
    assert list(scored[0]) == [*names, "score"]


def test_rows_are_scored_alike_wherever_their_parts_are_scored(
    released: Released, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("modelway_dask", reason="it has the compute 'local'")
    names = [name for name in rows[0] if name != "score"]
    for part, some in enumerate((rows[:7], rows[7:])):
        with (tmp_path / f"{part}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(some)
    told = {}
    for name, words in {"here": (), "mapped": ("compute=inline",), "workers": ("compute=local",)}.items():
        out = tmp_path / f"{name}.parquet"
        done = released.bench.apart("score", "cancer", str(tmp_path / "*.csv"), str(out), *words)
        assert done.code == 0, done.err
        told[name] = out.read_bytes()
    assert len(set(told.values())) == 1
    done = released.bench("score", "cancer", str(tmp_path / "*.csv"), "model.max_depth=3")
    assert (done.code, "follows no 'model.max_depth'" in done.err) == (2, True)


def test_rows_without_a_column_are_refused_and_nothing_is_written(released: Released, tmp_path: Path) -> None:
    given = tmp_path / "rows.csv"
    given.write_text("mean area\n3.5\n")
    done = released.bench("score", "cancer", str(given), str(tmp_path / "scored.csv"))
    assert done.code == 4
    assert "lack the columns" in done.err
    assert not list(tmp_path.glob("*scored*"))


def test_a_bundle_is_traced_to_data_code_and_environment(released: Released) -> None:
    digest = released.outcome["steps"]["package"]["digest"]
    chain = released.bench("trace", digest[:16], "--json").json
    assert chain["output"] == {"step": "package", "digest": digest}
    assert chain["version"]["number"] == 1
    assert chain["run"]["id"] == released.outcome["run"]
    assert chain["run"]["actor"] == "tester"
    assert chain["config"]["model"]["max_depth"] == 3
    assert "config.yaml:" in chain["origin"]["model.max_depth"]
    assert "xgboost-cpu" in chain["environment"]["distributions"] or "xgboost" in chain["environment"]["distributions"]
    links = {link["step"]: link for link in chain["links"]}
    assert {"package", "scoring", "model", "features", "split", "source"} <= set(links)
    assert links["source"]["files"]
    text = released.bench("trace", digest).out
    for word in ("environment", "resolved configuration", "model.max_depth: 3", "part ", "code"):
        assert word in text


@pytest.mark.parametrize("what", ["cancer", "cancer@1", "cancer@champion"])
def test_every_name_of_a_version_is_traced(released: Released, what: str) -> None:
    done = released.bench("trace", what if "@" in what else released.outcome["run"], "--json")
    assert done.json["run"]["id"] == released.outcome["run"]


@pytest.mark.parametrize("what", ["0123456789abcdef", "cancer@9", "cancr@1"])
def test_what_is_not_on_record_is_not_traced(released: Released, what: str) -> None:
    done = released.bench("trace", what)
    assert done.code == 2
    assert what.partition("@")[0] in done.err


def test_a_bundle_is_laid_down_whole_or_not_at_all(released: Released, tmp_path: Path) -> None:
    out = tmp_path / "laid"
    found = released.bench("bundle", "cancer@1", "--out", str(out), "--json").json
    assert found["digest"] == released.outcome["steps"]["package"]["digest"]
    assert (out / "bento.yaml").is_file()
    again = released.bench("bundle", "cancer@1", "--out", str(out))
    assert again.code == 2
    assert "there already" in again.err


def test_a_version_without_a_bundle_says_so(released: Released, tmp_path: Path) -> None:
    assert released.other["version"] == 2
    for words in (("serve", "cancer@2"), ("bundle", "cancer@2", "--out", str(tmp_path / "none"))):
        done = released.bench(*words)
        assert done.code == 2, done.out + done.err
        assert "has no bundle" in done.err
        assert "package" in done.err


def test_runs_side_by_side_show_what_differs_and_nothing_else(released: Released) -> None:
    found = released.bench("diff", released.outcome["run"], released.other["run"], "--json").json
    assert found["config"]["model.max_depth"] == [3, 2]
    assert {key.partition(".")[0] for key in found["config"]} == {"model", "package", "tags"}
    assert found["scores"]["auc (test)"][0] is not None
    assert "model" in found["outputs"]
    assert "split" not in found["outputs"]
    text = released.bench("diff", released.outcome["run"], released.other["run"]).out
    assert "model.max_depth" in text
    same = released.bench("diff", released.outcome["run"], released.outcome["run"]).out
    assert same.endswith("Nothing differs.\n")
    assert "+0.0000" in same


def ids(done: Any) -> set[str]:
    """Return the ids of the listed runs."""
    return {row["id"] for row in done.json}


def test_runs_are_found_by_metric_parameter_tag_and_note(released: Released) -> None:
    bench, first, other = released.bench, released.outcome["run"], released.other["run"]
    assert ids(bench("runs", "cancer", "--json")) >= {first, other}
    assert other in ids(bench("runs", "--where", "model.max_depth=2", "--json"))
    assert first not in ids(bench("runs", "--where", "model.max_depth=2", "--json"))
    assert first in ids(bench("runs", "--where", "auc>0.9", "--where", "model.max_depth>=3", "--json"))
    assert ids(bench("runs", "--where", "auc>1", "--json")) == set()
    assert ids(bench("runs", "--tag", "kind=trial", "--json")) == {other}
    assert bench("runs", "--set-tag", first[:9], "good=yes").code == 0
    assert ids(bench("runs", "--tag", "good=yes", "--json")) == {first}
    assert bench("runs", "--set-note", other, "looked at").code == 0
    notes = {row["id"]: row["note"] for row in bench("runs", "--json").json}
    assert notes[first] == "the first"
    assert notes[other] == "looked at"
    assert bench("runs", "--where", "auc").code == 2
    assert bench("runs", "nothing").out == "No run matches.\n"


def test_show_has_scores_costs_and_steps(released: Released) -> None:
    found = released.bench("show", released.outcome["run"], "--json").json
    steps = {step["name"]: step for step in found["steps"]}
    assert steps["model"]["wall"] > 0
    assert steps["model"]["peak"] > 1_000_000
    assert {s["metric"] for s in found["scores"]} >= {"auc", "f1"}
    auc = next(s for s in found["scores"] if s["metric"] == "auc" and s["phase"] == "test")
    assert auc["low"] <= auc["value"] <= auc["high"]
    assert "0.97" in released.bench("show", released.outcome["run"]).out  # the gate's bound


def test_promotion_moves_the_champion_and_is_on_record(released: Released) -> None:
    bench = released.bench
    aliases = {row["number"]: row["aliases"] for row in bench("models", "cancer", "--json").json}
    assert aliases == {2: [], 1: ["champion"]}
    assert bench("promote", "cancer@2", "--why", "smaller trees").code == 0
    assert {row["number"]: row["aliases"] for row in bench("models", "--json").json} == {2: ["champion"], 1: []}
    last = bench("models", "cancer", "--history", "--json").json[-1]
    assert last["body"] == {"alias": "champion", "from": 1, "to": 2, "why": "smaller trees"}
    assert last["actor"] == "tester"
    assert "is the champion already" in bench("promote", "cancer@2").out
    assert bench("promote", "cancer@1", "--why", "back").code == 0
    assert bench("promote", "cancer@7").code == 2


def test_every_json_parses(released: Released) -> None:
    run = released.outcome["run"]
    for words in (
        ("run", "cancer"), ("plan", "cancer"), ("runs",), ("show", run), ("diff", run, released.other["run"]),
        ("trace", run), ("models",), ("models", "--history"), ("plugins",), ("plugins", "xgboost"),
        ("doctor",), ("bundle", "cancer@1"),
    ):  # fmt: skip
        done = released.bench(*words, "--json")
        assert done.code == 0 or words == ("doctor",), (words, done.err)
        assert isinstance(json.loads(done.out), (dict, list)), words


def test_an_unchanged_project_is_not_packaged_again(released: Released) -> None:
    again = released.bench.run("cancer")
    assert again["ran"] == set()
    assert again["version"] == 1


def test_gc_keeps_what_runs_on_record_need(released: Released) -> None:
    assert released.bench("store", "gc", "--min-age", "0").code == 0
    assert released.bench.run("cancer")["ran"] == set()
    released.bench.whole()
