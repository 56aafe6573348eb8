"""modelway data: profiles, rows that were kept aside, and schemas."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelway import ConfigError

QUARANTINE = '''
import pyarrow.compute as pc

from modelway import preparer


@preparer
def lively(tables, run):
    """Keep the rows of who saw more than two pages; the others aside."""
    table = tables["table"]
    run.aside("lively", run.table([table.arrow().filter(pc.field("pages") <= 2)]))
    return run.table([table.arrow().filter(pc.field("pages") > 2)])
'''


def days(rows: int, seed: int = 0) -> str:
    """Return rows of two months, of which the second is twice as large, as CSV."""
    draw = random.Random(seed)
    lines = ["id,when,size,kind,late"]
    for i in range(rows):
        month = 1 + (i >= rows // 2)
        size = draw.gauss(10 * month, 2)
        kind, late = draw.choice(["a", "b"]), int(draw.random() < 0.3)
        lines.append(f"{i},2026-0{month}-{1 + i % 28:02}T08:00:00,{size:.4f},{kind},{late}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def sizes(bench: Any) -> str:
    bench.write("data/sizes.csv", days(600))
    return str(bench.root / "data/sizes.csv")


def test_a_file_a_run_and_a_project_without_a_run_are_described_alike(bench: Any) -> None:
    told = bench("data", "describe", "shop", "--json").json
    assert told["what"] == "shop, prepare, not from a run"
    run = bench("run", "shop", "--json").json["run"]
    for what in ("shop", run[:6], f"{run}:prepare"):
        again = bench("data", "describe", what, "--json").json
        assert again["columns"] == told["columns"]
        assert again["table"]["rows"] == 400
    source = bench("data", "describe", f"{run}:source", "--json").json
    read = bench("data", "describe", str(bench.root / "data/visits.csv"), "--json").json
    assert read["columns"]["visits"]["mean"] == source["columns"]["visits"]["mean"]
    assert source["columns"]["minutes"]["mean"] + 1 == pytest.approx(told["columns"]["minutes"]["mean"])
    assert told["columns"]["bought"]["role"] == "target"


def test_a_second_look_reads_no_row(bench: Any, sizes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench("data", "describe", sizes, "--where", "kind == 'a'", "--json").json
    from modelway.values import Table

    def read(*arguments: Any) -> Any:
        pytest.fail("The table was read again")

    monkeypatch.setattr(Table, "scan", read)
    assert bench("data", "describe", sizes, "--where", "kind == 'a'", "--json").json == first


def test_changed_rows_are_looked_at_again(bench: Any, sizes: str) -> None:
    before = bench("data", "describe", sizes, "--json").json
    bench.write("data/sizes.csv", days(601))
    after = bench("data", "describe", sizes, "--json").json
    assert (before["table"]["rows"], after["table"]["rows"]) == (600, 601)


def test_rows_of_one_table_are_compared_and_each_month_with_the_reference(bench: Any, sizes: str) -> None:
    early = ["--where-a", "when < '2026-02-01'"]
    told = bench("data", "diff", sizes, *early, "--where-b", "when >= '2026-02-01'", "--json").json
    assert told["rows"] == [300, 300]
    assert told["columns"]["size"]["verdict"] == "far"
    assert told["columns"]["kind"]["verdict"] == "same"
    months = bench("data", "diff", sizes, *early, "--by", "month", "--json").json
    assert list(months["columns"]["size"]["by_month"]) == ["2026-01", "2026-02"]
    assert months["columns"]["size"]["by_month"]["2026-01"] < 0.1 < 1 < months["columns"]["size"]["by_month"]["2026-02"]
    text = bench("data", "diff", sizes, *early, "--by", "month").out
    assert "PSI against A" in text
    assert "2026-02" in text


def test_a_step_is_compared_with_the_one_before_it(bench: Any) -> None:
    told = bench("data", "diff", "shop:source", "shop:prepare", "--json").json
    assert told["columns"]["minutes"]["mean"][1] - told["columns"]["minutes"]["mean"][0] == pytest.approx(1)
    assert told["columns"]["visits"]["psi"] == 0


def test_pages_are_written_and_need_nothing_from_elsewhere(bench: Any, sizes: str, tmp_path: Path) -> None:
    page, both = tmp_path / "a.html", tmp_path / "b.html"
    assert bench("data", "profile", sizes, "--out", str(page), "--target", "late").code == 0
    assert bench("data", "diff", sizes, "--by", "month", "--out", str(both)).code == 0
    for path in (page, both):
        text = path.read_text()
        assert "size" in text
        assert 'src="http' not in text
        assert 'href="http' not in text
    assert bench("data", "profile", sizes, "--out", str(tmp_path / "a.txt")).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["describe", "shopp"], "no run, project or file 'shopp'. Did you mean 'shop'"),
        (["describe", "shop:model"], "no table 'model'"),
        (["describe", "{sizes}", "--where", "sise > 1"], "Did you mean 'size'"),
        (["describe", "{sizes}", "--where", "size + 1"], "is no condition"),
        (["describe", "{sizes}", "--where", "size < 0"], "No row fulfils"),
        (["describe", "{sizes}", "--target", "lat"], "Did you mean 'late'"),
        (["diff", "{sizes}"], "two are needed"),
        (["diff", "{sizes}", "--by", "month", "--time", "size"], "not a time"),
        (["schema", "infer", "{sizes}", "--target", "lat"], "Did you mean 'late'"),
        (["schema", "diff", "shop"], "no run to compare with"),
    ],
)
def test_a_slip_is_answered_with_what_to_write(bench: Any, sizes: str, words: list[str], said: str) -> None:
    done = bench("data", *(word.format(sizes=sizes) for word in words))
    assert done.code in (2, 4)
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


BARE = '''
from dataclasses import dataclass

from modelway import Profile, Profiler, hookimpl, length


@dataclass(frozen=True, kw_only=True)
class Bare(Profiler, name="bare"):
    """Count rows."""

    def summarise(self, columns):
        return length(columns)

    def merge(self, a, b):
        return a + b

    def finish(self, summary):
        return Profile({"rows": summary})


@hookimpl
def profilers():
    return [Bare]
'''


def test_a_declared_profiler_is_the_one_that_is_asked_and_told_what_it_cannot_do(bench: Any) -> None:
    plugin = (bench.root / "projects/shop/plugin.py").read_text()
    bench.write("projects/shop/plugin.py", f"{plugin}\n{BARE}")
    bench.edit("projects/shop/conf/config.yaml", "split:", "profile: {use: bare}\nsplit:")
    done = bench("data", "describe", "shop")
    assert done.code == 5
    assert "The profiler 'bare' does not describe a profile" in done.err


def test_rows_kept_aside_are_listed_shown_and_written(bench: Any, tmp_path: Path) -> None:
    plugin = (bench.root / "projects/shop/plugin.py").read_text()
    bench.write("projects/shop/plugin.py", f"{plugin}\n{QUARANTINE}")
    bench.edit("projects/shop/conf/config.yaml", "  busy: {use: shifted, by: 1.0}", "  lively: {use: lively}")
    assert bench("run", "shop", "--to", "prepare").code == 0
    kept = bench("data", "aside", "shop", "--json").json
    assert [(one["step"], one["name"]) for one in kept] == [("prepare", "lively")]
    rows = [line.split(",") for line in (bench.root / "data/visits.csv").read_text().splitlines()[1:]]
    assert kept[0]["rows"] == sum(int(row[1]) <= 2 for row in rows)
    assert all(row["pages"] <= 2 for row in kept[0]["head"])
    target = tmp_path / "aside.csv"
    assert bench("data", "aside", "shop:prepare", "--name", "lively", "--out", str(target)).code == 0
    assert len(target.read_text().splitlines()) == kept[0]["rows"] + 1
    assert "Nothing of the name 'livly'" in bench("data", "aside", "shop", "--name", "livly").err


def test_a_misspelt_project_is_told_its_name(bench: Any) -> None:
    assert bench("show").err == "modelway: There is no run on record yet. Start one: modelway run PROJECT.\n"
    bench("run", "shop", "--to", "source")
    for words in (["show"], ["report"], ["data", "aside"], ["outputs", "diff", "shop"]):
        done = bench(*words, "shp")
        assert (done.code, "no run or project 'shp'. Did you mean 'shop'" in done.err) == (2, True), done.err


def test_a_stack_trace_can_be_asked_for_behind_a_verb(bench: Any) -> None:
    with pytest.raises(ConfigError):
        bench("data", "describe", "shp", "--debug")


def test_a_first_schema_composes_and_its_own_data_pass(bench: Any) -> None:
    lines = ["when,reference,code,note,visits,gone,bought"]
    for i in range(200):
        visits, bought = i / 7 if i % 9 else "", "yes" if i % 3 else "no"
        lines.append(f"2026-01-{1 + i % 28:02} 10:00:00,R{i},{i % 7},text {i // 2},{visits},,{bought}")
    bench.write("data/visits.csv", "\n".join(lines) + "\n")
    done = bench("data", "schema", "infer", str(bench.root / "data/visits.csv"), "--target", "bought")
    schema = yaml.safe_load(done.out)["schema"]
    columns = schema["columns"]
    assert columns["reference"] == {"type": "string", "role": "id", "unique": True}
    assert columns["when"] == {"type": "timestamp", "role": "time"}
    assert columns["visits"] == {"type": "number", "nullable": True}
    assert columns["note"]["role"] == "ignore"
    assert columns["bought"] == {"type": "category", "role": "target", "values": ["no", "yes"], "positive": "yes"}
    assert "seen 0, 1, 2, 3, 4, 5, 6" in done.out
    path = bench.root / "projects/shop/conf/config.yaml"
    text = path.read_text()
    start, end = text.index("schema:"), text.index("source:")
    bench.write("projects/shop/conf/config.yaml", text[:start] + done.out + "\n" + text[end:])
    bench.edit("projects/shop/conf/config.yaml", "prepare:\n  busy: {use: shifted, by: 1.0}\n", "")
    done = bench("run", "shop", "--to", "checks", "--json")
    assert done.code == 0, done.err


def test_a_project_s_changed_schema_is_judged_against_its_champion_s(bench: Any) -> None:
    bench.run("shop")
    same = bench("data", "schema", "diff", "shop", "--check")
    assert (same.code, "Nothing differs" in same.out) == (0, True)
    bench.edit("projects/shop/conf/config.yaml", "pages: {type: number, min: 0}", "pages: {type: number, min: 1}")
    bench.edit("projects/shop/conf/config.yaml", "minutes: {type: number}", "minutes: {type: number, nullable: true}")
    told = bench("data", "schema", "diff", "shop", "--json").json
    assert {one["key"]: one["breaking"] for one in told["changes"]} == {
        "columns.pages.min": True, "columns.minutes.nullable": False,
    }  # fmt: skip
    assert bench("data", "schema", "diff", "shop").code == 0
    assert bench("data", "schema", "diff", "shop", "--check").code == 4


def test_schemas_in_files_are_compared(bench: Any, tmp_path: Path) -> None:
    old, new, odd = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "odd.yaml"
    old.write_text("schema: {columns: {a: {type: integer}}}")
    new.write_text("columns: {a: {type: number}}")
    odd.write_text("model: {use: xgboost}")
    told = bench("data", "schema", "diff", str(old), str(new), "--json").json
    assert told["compatible"]
    assert bench("data", "schema", "diff", str(new), str(old), "--check").code == 4
    assert "holds no schema" in bench("data", "schema", "diff", str(old), str(odd)).err
    assert json.dumps(told["changes"][0]["old"]) == '"integer"'
