"""A range of days is one command, and days that are there already are not read again, in whichever process."""

from __future__ import annotations

import json
from typing import Any


def test_a_longer_range_reads_its_new_days_only(bench: Any) -> None:
    lines = (bench.root / "data/visits.csv").read_text().splitlines()
    for n in range(4):
        rows = "\n".join([lines[0], *lines[1 + 100 * n : 101 + 100 * n]])
        bench.write(f"data/visits-2026-01-0{n + 1}.csv", f"{rows}\n")
    bench.edit("projects/shop/conf/config.yaml", "path: data/visits.csv", 'path: "data/visits-{day}.csv"')

    def read(*words: str) -> dict[str, int]:
        done = bench.apart("run", "shop", *words, "--json")
        assert done.code == 0, done.err
        shown = bench("show", json.loads(done.out)["run"], "--json").json
        step = next(step for step in shown["steps"] if step["name"] == "source")
        return dict(step["body"]["logs"]["files"])

    assert read("source.since=2026-01-01", "source.until=2026-01-02") == {"read": 2, "reused": 0}
    assert read("source.since=2026-01-01", "source.until=2026-01-04") == {"read": 2, "reused": 2}
    assert read("source.since=2026-01-02") == {"read": 0, "reused": 3}
    bench.write("data/visits-2026-01-03.csv", "\n".join([lines[0], *lines[5:90]]) + "\n")
    assert read() == {"read": 1, "reused": 3}
    (bench.root / ".modelway/cache/remembered.json").unlink()
    assert read("source.until=2026-01-03") == {"read": 3, "reused": 0}
