"""Wrong input gets one paragraph that says what, where and how to mend it; nothing is lost, and mended it works."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

CONFIG, PLUGIN, DATA = "projects/shop/conf/config.yaml", "projects/shop/plugin.py", "data/visits.csv"

#: Exit codes, as the command line documents them.
USAGE, DATA_WRONG, PLUGIN_WRONG, STORE_WRONG, LEDGER_WRONG, STAGE_FAILED = 2, 4, 5, 6, 7, 10


def refused(done: Any, code: int, *said: str) -> str:
    """Check that a command was refused with one paragraph that says all of this, and return it."""
    assert done.code == code, done.out + done.err
    told: str = done.err
    for word in said:
        assert word in told, f"{word!r} is not in: {told}"
    assert "Traceback" not in told
    assert "fault of Modelway" not in told
    assert told.startswith("modelway: ")
    assert told.count("modelway: ") - told.count("modelway: warning: ") == 1, told
    assert re.search(r"[.:)'\d]\s*$", told), told
    assert ".." not in re.sub(r"\.\.\.|\.\./", "", told), told
    return told


def right(bench: Any, *words: str) -> None:
    """Check that store and ledger are whole, and that the right run works."""
    assert bench("run", "shop", *words).code == 0
    bench.whole()


def replaced(bench: Any, path: str, old: str, new: str) -> Any:
    """Return what undoes a change of a file."""
    before = (bench.root / path).read_text()
    bench.edit(path, old, new)
    return lambda: bench.write(path, before)


# The configuration


def line_of(bench: Any, text: str) -> str:
    """Return ``config.yaml:LINE`` of a text in the project's configuration."""
    lines = (bench.root / CONFIG).read_text().splitlines()
    return f"config.yaml:{next(i for i, line in enumerate(lines, 1) if text in line)}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sharpness: 1.0", "sharpnes: 1.0", ("model.sharpnes", "Did you mean 'sharpness'")),
        ("seed: 3", "sead: 3", ("sead", "Did you mean 'seed'")),
        (
            "minutes: {type: number}",
            "minutes: {type: number, nulable: true}",
            ("schema.columns.minutes.nulable", "Did you mean 'nullable'"),
        ),
        ("test: 0.25", "tests: 0.25", ("split.tests", "Did you mean 'test'")),
        ("cut: 0.5", "cutt: 0.5", ("metrics.hits.cutt", "Did you mean 'cut'")),
        (
            "minutes: {type: number}",
            "minutes: {type: numbr}",
            ("schema.columns.minutes.type", "numbr", "Did you mean 'number'"),
        ),
        ("sharpness: 1.0", "sharpness: high", ("model.sharpness", "'high'", "a number")),
        ("test: 0.25", "test: 1.5", ("split.test", "1.5", "below 1")),
        ("use: means", "use: meens", ("trainer", "meens", "Did you mean 'means'")),
        ("task: binary", "task: binery", ("task", "binery", "Did you mean 'binary'")),
    ],
    ids=[
        "component key",
        "top key",
        "schema key",
        "split key",
        "metric key",
        "schema type",
        "value type",
        "bound",
        "component",
        "task",
    ],
)
def test_a_mistake_in_a_file_names_file_line_and_mend(bench: Any, old: str, new: str, said: tuple[str, ...]) -> None:
    undo = replaced(bench, CONFIG, old, new)
    where = line_of(bench, new)
    refused(bench("run", "shop"), PLUGIN_WRONG if "meens" in new else USAGE, where, *said)
    undo()
    right(bench)


def test_a_misspelt_key_in_a_group_file_is_refused_too(bench: Any) -> None:
    """Hydra alone merges it in silence."""
    folder = bench.root / "projects/shop/conf/model"
    folder.mkdir()
    (folder / "sharp.yaml").write_text("use: means\nsharpnes: 4\n")
    refused(bench("run", "shop", "model=sharp"), USAGE, "model.sharpnes", "sharp.yaml:2", "Did you mean 'sharpness'")
    (folder / "sharp.yaml").write_text("use: means\nsharpness: 4\n")
    right(bench, "model=sharp")


@pytest.mark.parametrize(
    ("override", "code", "said"),
    [
        ("model.sharpnes=2", USAGE, ("model.sharpnes", "Did you mean 'sharpness'")),
        ("modle.sharpness=2", USAGE, ("modle", "Did you mean 'model'")),
        ("model.sharpness=high", USAGE, ("model.sharpness", "a number")),
        ("model=meens", USAGE, ("meens", "group 'model'", "Did you mean 'means'")),
        ("split=stratifid", USAGE, ("stratifid", "group 'split'", "Did you mean 'stratified'")),
        ("model.use=meens", PLUGIN_WRONG, ("meens", "Did you mean 'means'")),
        ("task=regresion", USAGE, ("task", "regresion", "Did you mean 'regression'")),
        ("model.sharpness=1,2", USAGE, ("-m",)),
        ("~gats", USAGE, ("gats", "Did you mean 'gates'")),
        ("model.sharpness=[", USAGE, ("grammar",)),
    ],
)
def test_a_mistake_on_the_command_line_names_the_override(
    bench: Any, override: str, code: int, said: tuple[str, ...]
) -> None:
    told = refused(bench("run", "shop", override), code, *said)
    assert f"override {override}" in told or f"override '{override}'" in told
    right(bench)


def test_a_misspelt_project_or_command_is_told_the_nearest(bench: Any) -> None:
    refused(bench("run", "shp"), USAGE, "shp", "Did you mean 'shop'")
    refused(bench("rn", "shop"), USAGE, "rn", "Did you mean 'run'")


def test_a_missing_required_key_is_named(bench: Any) -> None:
    undo = replaced(bench, CONFIG, "source: {use: files, path: data/visits.csv}", "source: {use: files}")
    refused(bench("run", "shop"), USAGE, "source.path", "required", line_of(bench, "source: {use"), "Set source.path")
    undo()
    undo = replaced(bench, CONFIG, "task: binary\n", "")
    refused(bench("run", "shop"), USAGE, "'task' is required", "Set task")
    undo()
    undo = replaced(bench, CONFIG, "sharpness: 1.0", 'sharpness: "???"')
    right(bench)  # a default is there
    undo()
    replaced(bench, CONFIG, "model: {use: means, sharpness: 1.0}\n", "")
    refused(bench("run", "shop"), USAGE, "no 'model'", "config.yaml", "Add 'model: {use: ...}'")
    right(bench, "model=means")


@pytest.mark.parametrize("value", ["${vars.nothing}", "${nothing}", "${oc.env:MODELWAY_TEST_NOTHING}"])
def test_an_interpolation_to_nothing_names_key_and_file(bench: Any, value: str) -> None:
    undo = replaced(bench, CONFIG, "sharpness: 1.0", f"sharpness: {value!r}")
    nothing = value.strip("${}").rpartition(":")[2]
    refused(bench("run", "shop"), USAGE, "model.sharpness", nothing, line_of(bench, "sharpness"))
    undo()
    right(bench)


def test_a_file_that_is_no_yaml_names_line_and_column(bench: Any) -> None:
    undo = replaced(bench, CONFIG, "model: {use: means, sharpness: 1.0}", "model: {use: means, sharpness: 1.0")
    refused(bench("run", "shop"), USAGE, "not valid YAML", "config.yaml:")
    undo()
    right(bench)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    minutes: {type: number}\n",
            "    minutes: {type: number}\n    page: {type: number}\n",
            ("page:", "did you mean 'pages'"),
        ),
        ("columns: [visits, minutes]", "columns: [visits, minuts]", ("'minuts'", "Did you mean 'minutes'", "centre")),
    ],
    ids=["schema", "feature"],
)
def test_an_absent_column_is_named_with_the_nearest(bench: Any, old: str, new: str, said: tuple[str, ...]) -> None:
    undo = replaced(bench, CONFIG, old, new)
    done = bench("run", "shop")
    refused(done, done.code, *said)
    assert done.code in (USAGE, DATA_WRONG)
    undo()
    right(bench)


def test_a_gate_on_a_metric_that_is_not_measured_is_refused_before_anything_runs(bench: Any) -> None:
    undo = replaced(bench, CONFIG, "metric: hits, at", "metric: hit, at")
    refused(bench("run", "shop"), USAGE, "hit", "good", "Did you mean 'hits'", line_of(bench, "good:"))
    assert bench("runs", "--json").json == []
    undo()
    right(bench)


# Files


def test_an_absent_file_is_named_with_what_lies_beside_it(bench: Any) -> None:
    undo = replaced(bench, CONFIG, "data/visits.csv", "data/visit.csv")
    refused(bench("run", "shop"), DATA_WRONG, "data/visit.csv", "Did you mean 'visits.csv'")
    undo()
    right(bench)


def spoilt(bench: Any, name: str, data: bytes) -> Any:
    """Point the project at a file of these bytes and return what undoes it."""
    (bench.root / "data" / name).write_bytes(data)
    return replaced(bench, CONFIG, "data/visits.csv", f"data/{name}")


def parquet(bench: Any, path: Path) -> bytes:
    """Return the project's rows as a parquet file."""
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    pq.write_table(csv.read_csv(bench.root / DATA), path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["no.csv", "no.parquet", "no.jsonl", "no.csv.gz", "head.csv"])
def test_an_empty_file_is_named(bench: Any, name: str) -> None:
    data = {"no.csv.gz": gzip.compress(b""), "head.csv": b"visits,pages,minutes,device,bought\n"}.get(name, b"")
    undo = spoilt(bench, name, data)
    refused(bench("run", "shop"), DATA_WRONG, f"data/{name}")
    undo()
    right(bench)


@pytest.mark.parametrize("name", ["cut.parquet", "cut.csv.gz", "cut.jsonl", "cut.csv"])
def test_a_truncated_file_is_named(bench: Any, name: str) -> None:
    rows = (bench.root / DATA).read_bytes()
    data = {
        "cut.parquet": lambda: parquet(bench, bench.root / "whole.parquet")[:-100],
        "cut.csv.gz": lambda: gzip.compress(rows)[:-200],
        "cut.jsonl": lambda: (
            b'{"visits": 1.0, "pages": 2, "minutes": 3.0, "device": "phone", "bought": "no"}\n{"visits": 2.'
        ),
        "cut.csv": lambda: rows[: rows.rindex(b",")].rpartition(b",")[0],
    }[name]()
    undo = spoilt(bench, name, data)
    refused(bench("run", "shop"), DATA_WRONG, f"data/{name}")
    undo()
    right(bench)


@pytest.mark.parametrize("name", ["odd.parquet", "odd.csv", "odd.csv.gz", "odd.jsonl"])
def test_a_file_that_is_not_what_its_suffix_says_is_named(bench: Any, name: str) -> None:
    rows = (bench.root / DATA).read_bytes()
    data = parquet(bench, bench.root / "whole.parquet") if name == "odd.csv" else rows
    undo = spoilt(bench, name, data)
    refused(bench("run", "shop"), DATA_WRONG, f"data/{name}", "source.format")
    undo()
    right(bench)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_column_of_the_wrong_type_in_part_7_of_9_is_named_with_its_file(bench: Any, kind: str) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    whole = csv.read_csv(bench.root / DATA)
    folder = bench.root / "data" / "parts"
    folder.mkdir()

    def write(part: int, table: Any) -> None:
        path = folder / f"part-{part}.{kind}"
        if kind == "parquet":
            pq.write_table(table, path)
        elif kind == "csv":
            csv.write_csv(table, path)
        else:
            import json

            path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))

    for part in range(1, 10):
        table = whole.slice((part - 1) * 40, 40)
        if part == 7:
            words = ["many" if i == 11 else str(v) for i, v in enumerate(table.column("pages").to_pylist())]
            table = table.set_column(1, "pages", pa.array(words))
        write(part, table)
    undo = replaced(bench, CONFIG, "data/visits.csv", f"data/parts/*.{kind}")
    told = refused(bench("run", "shop"), DATA_WRONG, "pages", f"part-7.{kind}")
    if kind != "parquet":
        assert "row " in told
    write(7, whole.slice(240, 40))
    right(bench)
    undo()


def test_every_broken_rule_is_told_at_once_with_rows_and_values(bench: Any) -> None:
    path = bench.root / DATA
    before = path.read_text()
    path.write_text(before + "-4,3,4,phone,yes\n7,3,4,watch,no\n")
    told = refused(bench("run", "shop"), DATA_WRONG, "2 declared rules", "visits", "device", "'watch'", "400", "401")
    assert told.count("\n") <= 5
    path.write_text(before)
    right(bench)


# Learning


@pytest.mark.parametrize("use", ["means", "xgboost"])
def test_a_target_with_one_class_is_named(bench: Any, use: str) -> None:
    path = bench.root / DATA
    before = path.read_text()
    path.write_text(before.replace(",yes\n", ",no\n"))
    if use == "xgboost":
        refused(bench("run", "shop", "model=xgboost"), DATA_WRONG, "bought", "no")
    else:  # a plugin that does not look gets an error that names it and its step, not a wrong model in silence
        refused(bench("run", "shop"), STAGE_FAILED, "model", "means", "plugin.py")
    path.write_text(before)
    right(bench)


def test_a_feature_that_divides_by_zero_is_named_with_row_and_mend(bench: Any) -> None:
    path = bench.root / DATA
    path.write_text(path.read_text() + "".join(f"{i},0,4,phone,yes\n" for i in range(1, 9)))
    ratio = "features:\n  pace: {use: ratio, numerator: visits, denominator: pages, zero: error}\n"
    undo = replaced(bench, CONFIG, "features:\n", ratio)
    refused(bench("run", "shop"), DATA_WRONG, "pace", "visits / pages", "/ 0", "row", "zero")
    undo()
    right(bench)


# The disk, the store and the ledger


@pytest.fixture
def small_disk(bench: Any) -> Iterator[Path]:
    """A file system of one megabyte at the workspace's ``.modelway``."""
    place = bench.root / ".modelway"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("Mounting a small file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("This host lets nobody mount a file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_says_what_to_do_and_keeps_what_was_committed(bench: Any, small_disk: Path) -> None:
    assert bench("run", "shop", "--to", "split").code == 0
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        file.write(b"0" * (shutil.disk_usage(small_disk).free - 4096))
    done = bench("run", "shop", "split.test=0.3")
    refused(done, done.code, "space", ".modelway")
    assert done.code in (STORE_WRONG, LEDGER_WRONG)
    assert not list((small_disk / "tmp").glob("*-*"))
    filler.unlink()
    assert bench.marks("shop", "--to", "split") == dict.fromkeys(("source", "prepare", "checks", "split"), "=")
    right(bench, "split.test=0.3")


def test_a_read_only_store_says_so(bench: Any) -> None:
    place = bench.root / ".modelway"
    place.mkdir()
    (bench.root / "ledger").mkdir()
    aside = "ledger=ledger/ledger.db"
    if os.geteuid() == 0:  # rights do not bind root: a read-only mount does
        bound = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], capture_output=True)
        if bound.returncode:
            pytest.skip("This host lets nobody mount a file system")
        try:
            refused(bench("run", "shop", aside), STORE_WRONG, "read-only", str(place), "store")
            refused(bench("run", "shop"), LEDGER_WRONG, "ledger", "writable")
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    else:
        place.chmod(0o555)
        refused(bench("run", "shop", aside), STORE_WRONG, "not writable", str(place), "store")
        place.chmod(0o755)
    right(bench)


def test_a_read_only_store_still_answers_what_it_holds(bench: Any) -> None:
    bench.run("shop")
    if os.geteuid() != 0 or subprocess.run(["mount", "--bind", bench.root, bench.root], capture_output=True).returncode:
        pytest.skip("Making a folder read-only for root needs a mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", bench.root], check=True)
        assert bench.reasons("shop") == {}
        assert bench("runs", "--json").json[0]["project"] == "shop"
    finally:
        subprocess.run(["umount", "-l", bench.root], check=True)


def test_a_ledger_of_a_newer_version_is_left_alone(bench: Any) -> None:
    right(bench)
    path = bench.root / ".modelway" / "ledger.db"
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    for command in (("run", "shop"), ("runs",), ("plan", "shop")):
        refused(bench(*command), LEDGER_WRONG, "99", "ledger.db", "Upgrade modelway")
    with closing(sqlite3.connect(path)) as ledger, ledger:
        assert ledger.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)
        ledger.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    assert bench.run("shop")["ran"] == set()


def test_a_file_that_is_no_ledger_is_left_alone(bench: Any) -> None:
    path = bench.root / ".modelway" / "ledger.db"
    path.parent.mkdir()
    path.write_bytes(b"dear diary " * 100)
    refused(bench("run", "shop"), LEDGER_WRONG, "ledger.db", "aside")
    assert path.read_bytes() == b"dear diary " * 100
    path.unlink()
    right(bench)


def blob_of(bench: Any, step: str, name: str) -> Path:
    """Return the file in the store that holds a file of a step's output."""
    from modelway.workspace import Workspace

    store = Workspace(bench.root).store()
    fingerprint = bench("run", "shop", "--json").json["steps"][step]["fingerprint"]
    digest: str = store.lookup(fingerprint).files[name][0]
    return bench.root / ".modelway" / "objects" / digest[:2] / digest


def test_a_corrupted_artifact_is_refused_and_computed_anew(bench: Any) -> None:
    first = bench.run("shop")
    path = blob_of(bench, "model", "means.json")
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(bytes(data))
    refused(bench("run", "shop", "title=x", "package.title=x"), USAGE, "title")
    done = bench("run", "shop", "phases=[train]", "~gates")
    refused(done, STORE_WRONG, path.name[:12], "corrupt", "not loaded", "epeat the command")
    again = bench.run("shop", "phases=[train]", "~gates")
    assert "model" in again["ran"]
    assert again["steps"]["model"]["digest"] == first["steps"]["model"]["digest"]
    bench.whole()


def test_a_truncated_artifact_and_an_unreadable_entry_are_misses(bench: Any) -> None:
    first = bench.run("shop")
    path = blob_of(bench, "model", "means.json")
    path.chmod(0o644)
    path.write_bytes(b"")
    fingerprint = first["steps"]["metrics"]["fingerprint"]
    entry = bench.root / ".modelway" / "index" / fingerprint[:2] / f"{fingerprint}.json"
    entry.chmod(0o644)
    entry.write_text("{")
    done = bench("run", "shop", "--json")
    assert "warning: The artifact file" in done.err
    assert "warning: The store's entry" in done.err
    again = done.json
    assert {s: f["digest"] for s, f in again["steps"].items()} == {s: f["digest"] for s, f in first["steps"].items()}
    assert again["steps"]["model"]["status"] == again["steps"]["metrics"]["status"] == "ran"
    bench.whole()


def test_verify_names_what_is_corrupt_and_the_next_run_mends_it(bench: Any) -> None:
    bench.run("shop")
    path = blob_of(bench, "model", "means.json")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"visits", b"visitz"))
    done = bench("store", "verify")
    assert done.code == STORE_WRONG
    assert path.name[:12] in done.out
    assert "model" in bench.run("shop")["ran"]
    bench.whole()


# Plugins


def test_two_plugins_of_one_name_are_both_named(bench: Any, installed: Any) -> None:
    env = {"PYTHONPATH": str(installed("good", "rude"))}
    said = ("majority", "modelway-majority", "modelway-rude", "MODELWAY_PLUGINS", "model=majority")
    refused(bench.apart("run", "shop", "model=majority", **env), PLUGIN_WRONG, *said)
    right(bench)


def test_a_plugin_that_raises_on_import_stops_only_what_needs_it(bench: Any, installed: Any) -> None:
    env = {"PYTHONPATH": str(installed("broken"))}
    said = ("majority", "modelway-broken", "libabsent.so.3", "ImportError")
    done = bench.apart("run", "shop", "model.use=majority", **env)
    refused(done, PLUGIN_WRONG, *said)
    done = bench.apart("run", "shop", "model=majority", **env)
    refused(done, done.code, "modelway-broken", "libabsent.so.3")
    assert bench.apart("run", "shop", **env).code == 0
    listed = bench.apart("plugins", **env)
    assert "broken: its import failed: ImportError: libabsent.so.3" in listed.out
    right(bench)


def test_a_project_plugin_that_raises_on_import_is_named(bench: Any) -> None:
    undo = replaced(bench, PLUGIN, "@metric\n", "1 / 0\n\n\n@metric\n")
    line = (bench.root / PLUGIN).read_text().splitlines().index("1 / 0") + 1
    refused(bench("run", "shop"), PLUGIN_WRONG, "plugin.py", "ZeroDivisionError", f"plugin.py:{line}")
    undo()
    right(bench)


def test_a_plugin_that_fails_in_a_step_is_named_with_the_step(bench: Any) -> None:
    undo = replaced(
        bench, PLUGIN, "    return float(((predictions", '    raise KeyError("colour")\n    return float(((predictions'
    )
    line = next(i for i, text in enumerate((bench.root / PLUGIN).read_text().splitlines(), 1) if "colour" in text)
    refused(bench("run", "shop"), STAGE_FAILED, "metrics", "hits", "KeyError", "colour", f"plugin.py:{line}")
    assert bench("runs", "--json").json[0]["status"] == "failed"
    undo()
    outcome = bench.run("shop")
    assert not {"source", "split"} & outcome["ran"]
    right(bench)
