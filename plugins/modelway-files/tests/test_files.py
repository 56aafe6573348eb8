from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_files import stream
from modelway_files.source import Files

from modelway import ConfigError, DataError, Run, Table
from modelway.testing import SourceSuite, make_run


class TestFilesContract(SourceSuite):
    def make(self, folder: Path) -> Any:
        (folder / "data").mkdir(exist_ok=True)
        for i in (1, 2):
            (folder / f"data/part-{i}.csv").write_text(f"a,b\n{i},x\n{i + 1},y\n")
        return Files(path=("data/part-*.csv",))

    def change(self, folder: Path) -> bool:
        (folder / "data/part-2.csv").write_text("a,b\n9,z\n")
        return True

    def absent(self, folder: Path) -> Any:
        return Files(path="data/nothing-*.csv")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def declared(tmp_path: Path, **columns: Any) -> Run:
    shaped = {name: kind if isinstance(kind, Mapping) else {"type": kind} for name, kind in columns.items()}
    return make_run(tmp_path, schema={"columns": shaped})


def put(folder: Path, name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return name


def load(run: Run, path: Any, **more: Any) -> dict[str, list[Any]]:
    return Files(path=path, **more).load(run).arrow().to_pydict()


def refused(run: Run, path: Any, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        Files(path=path, **more).load(run)
    return str(caught.value)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, run: Run, name: str) -> None:
    rows = {"n": [1, 2, 3], "x": [0.5, None, -2.0], "s": ["a", "b,\nc", None]}
    table = pa.table(rows)
    if "csv" in name:
        put(tmp_path, name, 'n,x,s\n1,0.5,a\n2,,"b,\nc"\n3,-2.0,\n')
    elif "tsv" in name:
        put(tmp_path, name, 'n\tx\ts\n1\t0.5\ta\n2\t\t"b,\nc"\n3\t-2.0\t\n')
    elif "jsonl" in name:
        put(tmp_path, name, "\n".join(json.dumps(row) for row in table.to_pylist()))
    else:
        pq.write_table(table, tmp_path / name)
    assert load(run, name) == rows


def test_declared_types_win_over_what_the_rows_look_like(tmp_path: Path) -> None:
    run = declared(tmp_path, code="category", kind={"type": "integer", "values": [1, 2]}, day="date", at="timestamp",
                   **{"num_*": "number"}, flag="boolean")  # fmt: skip
    put(tmp_path, "t.csv", "code,kind,day,at,num_a,flag\n007,2,2024-01-31,2024-01-31 10:00:00,1,true\n")
    table = Files(path="t.csv").load(run)
    assert dict(table.columns) == {"code": "string", "kind": "int64", "day": "date32[day]", "at": "timestamp[us]",
                                   "num_a": "double", "flag": "bool"}  # fmt: skip
    assert table.arrow().to_pydict()["code"] == ["007"]


def test_times_with_an_offset_are_the_same_instant_in_utc(tmp_path: Path) -> None:
    run = declared(tmp_path, at="timestamp")
    put(tmp_path, "t.csv", "at\n2024-01-31T10:00:00+02:00\n")
    put(tmp_path, "t.jsonl", '{"at": "2024-01-31T10:00:00+02:00"}\n')
    for name in ("t.csv", "t.jsonl"):
        assert str(Files(path=name).load(run).read()["at"][0]).startswith("2024-01-31T08:00:00"), name  # type: ignore[index]


def test_missing_tokens_are_missing_in_text_and_numbers(tmp_path: Path) -> None:
    run = declared(tmp_path, a="integer", b="category")
    put(tmp_path, "t.csv", "a,b\n?,x\n3,?\n4,\n")
    assert load(run, "t.csv", missing=("?",)) == {"a": [None, 3, 4], "b": ["x", None, None]}


def test_undeclared_words_for_missing_are_kept_as_text(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "t.csv", "country,n\nNA,1\nDE,2\n")
    assert load(run, "t.csv")["country"] == ["NA", "DE"]


def test_a_bad_value_in_csv_names_file_column_and_row(tmp_path: Path) -> None:
    run = declared(tmp_path, age="integer")
    for i in range(1, 10):
        put(tmp_path, f"part-{i}.csv", "id,age\n" + "".join(f"{i},{n}\n" for n in range(20)))
    put(tmp_path, "part-7.csv", "id,age\n1,2\n2,old\n")
    said = refused(run, "part-*.csv")
    assert "part-7.csv, row 3" in said
    assert "'age' is declared as integer" in said
    assert "'old'" in said


def test_text_among_undeclared_numbers_is_an_error_not_text(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a.csv", "x\n1\n2\n")
    put(tmp_path, "b.csv", "x\n3\nabc\n")
    said = refused(run, ("a.csv", "b.csv"))
    assert "b.csv, row 3" in said
    assert "'x'" in said


def test_a_bad_value_in_json_lines_names_file_column_and_row(tmp_path: Path) -> None:
    run = declared(tmp_path, age="integer")
    put(tmp_path, "t.jsonl", '{"age": 1}\n\n{"age": "old"}\n')
    said = refused(run, "t.jsonl")
    assert "t.jsonl, row 3" in said
    assert "'age' is declared as integer" in said


def test_whole_numbers_turn_into_numbers_where_later_rows_need_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelway_files.delimited.BLOCK", 64)
    monkeypatch.setattr("modelway_files.lines.BLOCK", 64)
    values = [None] * 30 + [1] * 30 + [2.5] + [3] * 30
    put(tmp_path, "t.csv", "k,x\n" + "".join(f"{i},{'' if x is None else x}\n" for i, x in enumerate(values)))
    put(tmp_path, "t.jsonl", "".join(json.dumps({"k": i, "x": x}) + "\n" for i, x in enumerate(values)))
    for name in ("t.csv", "t.jsonl"):
        assert load(run, name) == {"k": list(range(91)), "x": values}, name


def test_a_json_field_that_comes_late_is_missing_before(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a.jsonl", '{"a": 1}\n')
    put(tmp_path, "b.jsonl", '{"b": "x", "deep": {"c": 1}}\n')
    logged: dict[str, Any] = {}
    run.on_log = logged.__setitem__
    assert load(run, ("a.jsonl", "b.jsonl")) == {"a": [1, None], "b": [None, "x"]}
    assert logged == {"left_out": ["deep"]}


def test_rows_keep_the_order_of_files_and_columns_are_matched_by_name(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "b.csv", "x,y\n1,2\n")
    put(tmp_path, "a.csv", "y,x\n4,3\n")
    assert load(run, ("b.csv", "a.csv")) == {"x": [1, 3], "y": [2, 4]}
    assert load(run, "*.csv") == {"y": [4, 2], "x": [3, 1]}


def test_a_folder_means_its_data_files(tmp_path: Path, run: Run) -> None:
    (tmp_path / "data/day=2").mkdir(parents=True)
    put(tmp_path, "data/a.csv", "x\n1\n")
    put(tmp_path, "data/day=2/b.csv", "x\n2\n")
    put(tmp_path, "data/_SUCCESS", "")
    put(tmp_path, "data/notes.txt", "hello")
    assert load(run, "data") == {"x": [1, 2]}


def test_parquet_is_kept_byte_for_byte(tmp_path: Path, run: Run) -> None:
    for i in range(3):
        pq.write_table(pa.table({"x": [i]}), tmp_path / f"p{i}.parquet", compression="snappy")
    table = Files(path="p*.parquet").load(run)
    for i, part in enumerate(table.parts):
        assert run.blobs.open(part.digest).read_bytes() == (tmp_path / f"p{i}.parquet").read_bytes()


def test_a_parquet_column_of_another_type_names_file_column_and_types(tmp_path: Path, run: Run) -> None:
    for i in range(1, 10):
        pq.write_table(pa.table({"x": ["1" if i == 7 else 1]}), tmp_path / f"p{i}.parquet")
    said = refused(run, "p*.parquet")
    assert all(word in said for word in ("p7.parquet", "'x'", "string", "int64", "p1.parquet")), said


@pytest.mark.parametrize("second", [{"x": [1]}, {"x": [1], "y": [1], "z": [1]}, {"x": [1], "Y": [1]}])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_of_other_columns_are_refused(tmp_path: Path, run: Run, suffix: str, second: dict[str, Any]) -> None:
    for name, columns in (("a", {"x": [1], "y": [2]}), ("b", second)):
        write = pq.write_table if suffix == "parquet" else pa.csv.write_csv
        write(pa.table(columns), tmp_path / f"{name}.{suffix}")
    said = refused(run, f"*.{suffix}")
    assert f"b.{suffix}" in said
    assert "has no column" in said


ROWS = "a,b\n" + "".join(f"{i},text {i}\n" for i in range(2000))


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": list(range(1000))}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"\n\n", "empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("t.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-900], "cut short"),
        ("t.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-3], "cut short"),
        ("t.csv.gz", b"\x1f\x8b", "cut short"),
        ("t.csv.gz", ROWS.encode(), "not gzip"),
        ("t.csv", gzip.compress(ROWS.encode(), mtime=0), "gzip"),
        ("t.csv", parquet_bytes(), "parquet"),
        ("t.csv", b"PK\x03\x04rest", "zip"),
        ("t.csv", b"<!DOCTYPE html><html>404</html>", "web page"),
        ("t.csv", b'{"a": 1}\n', "JSON"),
        ("t.csv", ROWS.encode()[:-12], "fields"),
        ("t.csv", b"a,a\n1,2\n", "twice"),
        ("t.csv", "a,b\ncaf\xe9,1\n".encode("latin-1"), "encoding"),
        ("t.jsonl", b"", "empty"),
        ("t.jsonl", b'[{"a": 1}]', "array"),
        ("t.jsonl", b"a,b\n1,2\n", "not JSON lines"),
        ("t.jsonl", b'{"a": 1}\n{"a": 2, "b', "row 2"),
        ("t.jsonl", b'{"a": 1}\n7\n', "row 2"),
        ("t.parquet", b"", "empty"),
        ("t.parquet", parquet_bytes()[:-100], "cut short"),
        ("t.parquet", ROWS.encode(), "not parquet"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, run: Run, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    said = refused(run, name)
    assert expected in said
    assert name in said


def test_other_encodings_can_be_declared(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "t.csv", "a,b\ncaf\xe9,1\n".encode("latin-1"))
    assert load(run, "t.csv", encoding="latin-1")["a"] == ["caf\xe9"]
    with pytest.raises(ConfigError, match="latin-99"):
        load(run, "t.csv", encoding="latin-99")


def test_a_suffix_that_says_nothing_asks_for_the_format(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "t.dat", "a;b\n1;2\n")
    with pytest.raises(ConfigError, match=r"source\.format"):
        load(run, "t.dat")
    assert load(run, "t.dat", format="csv", delimiter=";") == {"a": [1], "b": [2]}


def test_formats_are_not_mixed(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a.csv", "x\n1\n")
    put(tmp_path, "b.jsonl", '{"x": 1}\n')
    assert "two formats" in refused(run, ("a.csv", "b.jsonl"))


def test_a_misspelt_path_suggests_the_file_beside_it(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "adult.csv", "x\n1\n")
    assert "Did you mean 'adult.csv'" in refused(run, "adlut.csv")


def test_the_version_is_the_same_wherever_the_workspace_lies(tmp_path: Path) -> None:
    versions = set()
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        put(tmp_path / place, "t.csv", "x\n1\n")
        for path in ("t.csv", str(tmp_path / place / "t.csv")):
            versions.add(Files(path=path).version(make_run(tmp_path / place)))
    assert len(versions) == 1


def test_a_symlinked_file_is_read_by_its_own_suffix(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "0a1b2c", "x\n1\n")
    (tmp_path / "t.csv").symlink_to(tmp_path / "0a1b2c")
    assert load(run, "t.csv") == {"x": [1]}


@pytest.fixture
def remote() -> Any:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()


def test_remote_files_load_like_local_ones(tmp_path: Path, run: Run, remote: Any) -> None:
    for i in (1, 2):
        remote.pipe_file(f"/bucket/p{i}.csv.gz", gzip.compress(f"x\n{i}\n".encode(), mtime=0))
        pq.write_table(pa.table({"x": [i]}), tmp_path / "p.parquet")
        remote.put_file(str(tmp_path / "p.parquet"), f"/bucket/p{i}.parquet")
    for path in ("memory://bucket/*.csv.gz", "memory://bucket/*.parquet"):
        assert load(run, path) == {"x": [1, 2]}
    assert load(run, "memory://bucket", format="parquet") == {"x": [1, 2]}
    assert not list(run.scratch.iterdir()), "fetched files stay behind"


def test_a_changed_remote_file_is_another_version(run: Run, remote: Any) -> None:
    remote.pipe_file("/bucket/t.csv", b"x\n1\n")
    source = Files(path="memory://bucket/t.csv")
    before = source.version(run)
    assert source.version(run) == before
    remote.pipe_file("/bucket/t.csv", b"x\n2\n")
    assert source.version(run) != before


def test_remote_trouble_is_explained_without_secrets(run: Run, remote: Any) -> None:
    assert "memory://bucket/no.csv" in refused(run, "memory://bucket/no.csv")
    said = refused(run, "nosuch://user:hunter2@host/x.csv?sig=hunter2")
    assert "hunter2" not in said
    assert "nosuch" in said


def test_no_row_is_lost_between_blocks(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that lie across block borders, quoted line ends included, arrive once each."""
    monkeypatch.setattr("modelway_files.delimited.BLOCK", 100)
    monkeypatch.setattr("modelway_files.lines.BLOCK", 100)
    monkeypatch.setattr(stream, "ROWS", 7)
    put(tmp_path, "t.csv.gz", "i,s\n" + "".join(f'{i},"a\n{i}"\n' for i in range(500)))
    put(tmp_path, "t.jsonl.gz", "".join(json.dumps({"i": i, "s": f"a\n{i}"}) + "\n" for i in range(500)))
    expected = {"i": list(range(500)), "s": [f"a\n{i}" for i in range(500)]}
    assert load(run, "t.csv.gz") == expected
    assert load(run, "t.jsonl.gz") == expected


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), cells), min_size=1))
def test_text_formats_give_back_what_was_written(tmp_path: Path, rows: list[tuple[int, float, str]]) -> None:
    run = declared(tmp_path, i="integer", x="number", s="string")
    table = pa.table(dict(zip("ixs", map(list, zip(*rows, strict=True)), strict=True)))
    pa.csv.write_csv(table, tmp_path / "t.csv")
    plain = [row for row in table.to_pylist() if abs(row["x"]) != float("inf")]
    put(tmp_path, "t.jsonl", "\n".join(json.dumps(row) for row in plain))
    assert Files(path="t.csv").load(run).arrow() == table
    if plain:
        assert Files(path="t.jsonl").load(run).arrow().to_pylist() == plain


def test_the_sources_of_the_rows_are_on_record(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "t.csv", "x\n1\n")
    table: Table = Files(path="t.csv").load(run)
    assert table.about == {"files": {"t.csv": run.digest(tmp_path / "t.csv")}}
