"""Whatever goes into a step, changing it makes the step run again, and what comes out change."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

CONFIG, PLUGIN, DATA = "projects/shop/conf/config.yaml", "projects/shop/plugin.py", "data/visits.csv"


class Change(NamedTuple):
    """A change of a file (or an override), the step that it must reach, and what must come out different."""

    file: str
    old: str
    new: str
    reaches: str
    reason: str
    differs: tuple[str, ...]
    spares: tuple[str, ...] = ()


CHANGES = {
    "source data": Change(
        DATA,
        "visits,pages,minutes,device,bought\n",
        "visits,pages,minutes,device,bought\n99.5,3,4.5,phone,yes\n",
        "source",
        "data",
        ("source", "prepare", "split", "features", "model", "predictions"),
    ),
    "source param": Change(
        CONFIG, "path: data/visits.csv", "path: data/other.csv", "source", "source.path", ("source", "prepare", "split")
    ),
    "column type": Change(
        CONFIG, "pages: {type: number,", "pages: {type: integer,", "source", "types.pages", ("source",)
    ),
    "prepare param": Change(
        CONFIG, "by: 1.0", "by: 2.0", "prepare", "prepare.busy.by 1.0 -> 2.0", ("prepare",), ("source",)
    ),
    "prepare code": Change(
        PLUGIN, "value + by", "value + by * 3", "prepare", "code", ("prepare", "features"), ("source",)
    ),
    "schema bound": Change(
        CONFIG,
        "pages: {type: number, min: 0}",
        "pages: {type: number, min: 0, max: 500}",
        "checks",
        "max",
        ("scoring",),
        ("source", "prepare", "split", "model"),
    ),
    "positive class": Change(
        CONFIG,
        'positive: "yes"',
        'positive: "no"',
        "split",
        "positive",
        ("split", "model", "predictions"),
        ("source", "prepare"),
    ),
    "order of columns": Change(
        CONFIG,
        "    visits: {type: number, min: 0}\n    pages: {type: number, min: 0}\n",
        "    pages: {type: number, min: 0}\n    visits: {type: number, min: 0}\n",
        "split",
        "order",
        (),
        ("prepare",),
    ),
    "split param": Change(
        CONFIG,
        "test: 0.25",
        "test: 0.3",
        "split",
        "split.test 0.25 -> 0.3",
        ("split", "features", "model", "predictions", "metrics"),
        ("prepare",),
    ),
    "seed": Change(
        CONFIG, "seed: 3", "seed: 4", "split", "seed 3 -> 4", ("split", "model", "predictions"), ("source", "prepare")
    ),
    "feature param": Change(
        CONFIG,
        "times: 1.0",
        "times: 2.0",
        "features",
        "features.centre.times 1.0 -> 2.0",
        ("features", "model"),
        ("source", "prepare", "split"),
    ),
    "feature code, equal state": Change(
        PLUGIN,
        "(column - state[name])",
        "(column + state[name])",
        "features",
        "code",
        ("predictions", "scoring"),
        ("split",),
    ),
    "feature added": Change(
        CONFIG,
        "\nmodel:",
        "  cut: {use: clip, columns: [pages], high: 9}\n\nmodel:",
        "features",
        "features.cut added",
        ("features", "model"),
        ("split",),
    ),
    "trainer param": Change(
        CONFIG,
        "sharpness: 1.0",
        "sharpness: 0.5",
        "model",
        "model.sharpness 1.0 -> 0.5",
        ("model", "predictions"),
        ("split", "features"),
    ),
    "trainer code": Change(PLUGIN, "scale=1e-3", "scale=1e-2", "model", "code", ("model", "predictions"), ("split",)),
    "model code, equal weights": Change(
        PLUGIN, "1 / (1 + np.exp(-(", "1 / (2 + np.exp(-(", "model", "code", ("predictions", "scoring"), ("split",)
    ),
    "metric param": Change(
        CONFIG,
        "cut: 0.5",
        "cut: 0.9",
        "metrics",
        "metrics.hits.cut 0.5 -> 0.9",
        ("metrics",),
        ("model", "predictions", "scoring", "package"),
    ),
    "metric code": Change(
        PLUGIN, "predictions.score >= cut", "predictions.score < cut", "metrics", "code", ("metrics",), ("split",)
    ),
    "metric seed": Change(
        CONFIG,
        "bootstrap: 0",
        "bootstrap: 20",
        "metrics",
        "metrics.auc.bootstrap 0 -> 20",
        ("metrics",),
        ("model", "predictions"),
    ),
    "phases": Change(
        CONFIG,
        "task: binary",
        "task: binary\nphases: [train, test]",
        "predictions",
        "phases",
        ("predictions", "metrics"),
        ("model",),
    ),
    "gate param": Change(
        CONFIG,
        "at_least: 0.2",
        "at_least: 0.3",
        "gates",
        "gates.good.at_least 0.2 -> 0.3",
        ("gates",),
        ("metrics", "model"),
    ),
    "gate code": Change(PLUGIN, "is {value:.3f} of", "is {value:.3f}, of", "gates", "code", ("gates",), ("split",)),
    "packager param": Change(
        CONFIG,
        "title: first",
        "title: second",
        "package",
        "package.title first -> second",
        ("package",),
        ("model", "metrics", "gates", "scoring"),
    ),
    "packager code": Change(PLUGIN, "golden rows\\n", "rows\\n", "package", "code", ("package",), ("split",)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_goes_in_shows_in_what_comes_out(bench: Any, kind: str) -> None:
    change = CHANGES[kind]
    (bench.root / "data" / "other.csv").write_text((bench.root / DATA).read_text().replace("phone", "tablet"))
    before = bench.run("shop")
    bench.edit(change.file, change.old, change.new)
    assert change.reason in bench.reasons("shop")[change.reaches]
    after = bench.run("shop")
    assert change.reaches in after["ran"]
    assert not after["ran"] & set(change.spares)
    for step in change.differs:
        assert after["steps"][step]["digest"] != before["steps"][step]["digest"], step
    assert bench.run("shop")["ran"] == set()


def test_a_library_that_shapes_a_result_runs_its_steps_again(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelway.engine import meter

    bench.run("shop")
    found = {**meter.environment(), "pyarrow": "99.0"}
    monkeypatch.setattr(meter, "environment", lambda: found)
    assert bench.reasons("shop")["source"].startswith("library pyarrow ")
    assert "source" in bench.run("shop")["ran"]


def test_code_that_the_golden_rows_do_not_reach_is_packaged_anew(bench: Any) -> None:
    """A bundle carries the code of its features, also where it makes no difference to any row seen so far."""
    bench.run("shop")
    bench.edit(
        PLUGIN,
        "return {name: (column - state[name]) * self.times for",
        "return {name: (column - state[name]) * self.times + 0 for",
    )
    assert {"features", "package"} <= bench.run("shop")["ran"]


def test_an_equal_output_computes_nothing_after_it(bench: Any) -> None:
    """New bytes of the same rows: the table is the same, and so is all that is made of it."""
    bench.run("shop")
    path = bench.root / DATA
    path.write_text(path.read_text().replace(",phone,", ',"phone",'))
    marks = bench.marks("shop")
    assert marks["source"] == "~"
    assert marks["prepare"] == "?"
    assert bench.run("shop")["ran"] == {"source"}


def test_two_projects_share_what_is_the_same_and_nothing_else(bench: Any) -> None:
    bench.run("shop")
    bench.add(bench.root / "projects" / "shop", "twin")
    bench.edit("projects/twin/conf/config.yaml", "project: shop", "project: twin")
    outcome = bench.run("twin")
    assert not {"source", "checks", "split"} & outcome["ran"]
    assert outcome["version"] == 1


def test_a_quick_second_edit_of_the_plugin_is_not_missed(bench: Any) -> None:
    """Kept bytecode tells files apart by second and size: another edit within that second has both the same."""
    digests = []
    for value in ("1e-3", "1e-2", "1e-1"):
        (path := bench.root / PLUGIN).write_text(path.read_text().replace("scale=1e-3", f"scale={value}"))
        digests.append(bench.run("shop")["steps"]["model"]["digest"])
        path.write_text(path.read_text().replace(f"scale={value}", "scale=1e-3"))
    assert len(set(digests)) == 3


def test_a_quick_second_edit_of_the_configuration_is_not_missed(bench: Any) -> None:
    found = []
    for value in ("0.5", "0.6", "0.7"):
        config = bench.root / CONFIG
        config.write_text(config.read_text().replace("cut: 0.5", f"cut: {value}"))
        done = bench("run", "shop", "--cfg", "job")
        found.append(f"cut: {value}" in done.out)
        config.write_text(config.read_text().replace(f"cut: {value}", "cut: 0.5"))
    assert found == [True, True, True]


def test_a_configuration_folder_that_appears_is_seen(bench: Any, settle: Any) -> None:
    settle(bench.root)
    assert bench("plan", "shop").code == 0
    folder = bench.root / "conf"
    folder.mkdir()
    (folder / "base.yaml").write_text("seed: 0\nphases: [train]\ncompute: {use: inline}\n")
    assert "- train" in bench("run", "shop", "--cfg", "job").out
