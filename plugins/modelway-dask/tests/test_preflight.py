"""Workers that cannot do a run's work are refused before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import modelway_dask
import pytest
from modelway_dask import Cluster, Local, probe

from modelway import ComputeError, ConfigError, Table
from modelway.testing import make_run, make_table

HERE = Path(modelway_dask.__file__).parent


def opened(processes: Any, run: Any, **more: Any) -> None:
    """Open a compute at the test's cluster."""
    with Cluster(address=processes.address, timeout=20, **more).open(run):
        return


def test_a_worker_with_other_code_of_the_same_version_is_refused(tmp_path: Path, processes: Any) -> None:
    shutil.copytree(HERE, tmp_path / "path" / "modelway_dask", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "path" / "modelway_dask" / "task.py").open("a") as file:
        file.write("\n# changed\n")
    processes.start().work(PYTHONPATH=str(tmp_path / "path"))
    with pytest.raises(ComputeError, match=r"other code of 'modelway_dask' than this process.*\(worker tcp://"):
        opened(processes, make_run(tmp_path))


def test_a_worker_with_another_version_is_refused(tmp_path: Path, processes: Any) -> None:
    facts = tmp_path / "path" / "xgboost_cpu-0.1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.3\nName: xgboost-cpu\nVersion: 0.1\n")
    processes.start().work(PYTHONPATH=str(tmp_path / "path"))
    with pytest.raises(ComputeError, match="A worker has xgboost-cpu 0.1, and this process has 3"):
        opened(processes, make_run(tmp_path, uses=("xgboost-cpu",)))
    opened(processes, make_run(tmp_path))  # of a run that does not use it


def test_a_worker_that_lacks_the_plugin_is_refused(tmp_path: Path, processes: Any) -> None:
    lacking = tmp_path / "lacking.py"
    lacking.write_text("import sys\nsys.modules['modelway_dask'] = None\n")
    processes.start().work("--preload", str(lacking))
    with pytest.raises(ComputeError, match=r"A worker lacks 'modelway_dask' \(worker tcp://.*Install there"):
        opened(processes, make_run(tmp_path))


def test_code_that_was_changed_after_a_worker_started_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "changing"
    package.mkdir()
    (package / "__init__.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = probe.digest("changing")
    assert not probe.stale("changing", before)
    assert not probe.stale("changing", probe.digest("changing"))
    (package / "more.py").write_text("B = 1\n")
    assert probe.stale("changing", probe.digest("changing"))


def test_a_store_that_a_worker_does_not_see_is_refused(tmp_path: Path, processes: Any) -> None:
    class Apart:
        """A store whose folder is another one in each process."""

        def __init__(self, here: str, kind: Any) -> None:
            self.here, self.kind = here, kind

        def store(self) -> Any:
            import os

            return self.kind(os.environ.get("OTHER_STORE", self.here))

        def put_file(self, path: Any) -> Any:
            return self.store().put_file(path)

        def open(self, digest: str) -> Any:
            return self.store().open(digest)

    run = make_run(tmp_path)
    run.blobs = Apart(str(tmp_path / "store"), type(run.blobs))
    processes.start().work(OTHER_STORE=str(tmp_path / "other"))
    with pytest.raises(ComputeError, match="A worker cannot use the store: it does not find what was put there"):
        opened(processes, run)


def test_too_few_workers_are_waited_for_and_counted(tmp_path: Path, processes: Any, within: Any) -> None:
    processes.start(workers=1)
    run = make_run(tmp_path)
    compute = Cluster(address=processes.address, workers=2, timeout=2)
    with within(20), pytest.raises(ComputeError, match="has 1 of the 2 workers that are needed, after 2 seconds"):
        compute.open(run).__enter__()
    processes.work()
    processes.ready(2)
    with Cluster(address=processes.address, workers=2, timeout=20).open(run) as workers:
        assert workers.shape == {"workers": 2, "threads": 1}
    assert Cluster(address=processes.address).shape(run) == {"workers": 2, "threads": 1}
    assert Cluster(address=processes.address, workers=1).shape(run) == {"workers": 1, "threads": 1}


def test_values_that_are_none_are_told_with_their_key(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(ConfigError, match=r"'much' is no size in memory \(compute.memory\)"):
        Local(memory="much").open(run).__enter__()
    with pytest.raises(ConfigError, match=r"'cluster' is no address of a scheduler \(compute.address\)"):
        Cluster(address="cluster").shape(run)


def test_the_machine_decides_how_many_workers_there_are(tmp_path: Path) -> None:
    from modelway_dask import machine

    assert Local().shape(make_run(tmp_path)) == {"workers": machine.cores(), "threads": 1}
    assert Local(threads=2).shape(make_run(tmp_path, threads=8)) == {"workers": 4, "threads": 2}
    assert Local(workers=3, threads=2).shape(make_run(tmp_path)) == {"workers": 3, "threads": 2}
    assert 0 < machine.limit("", 2, "") <= machine.memory() / 2
    assert machine.limit("2GB", 2, "") == 2_000_000_000


def test_parts_go_to_the_workers_in_turn_and_come_back_the_same(tmp_path: Path, standing: Any) -> None:
    import numpy as np

    run = make_run(tmp_path)
    table = make_table(run, {"a": np.arange(6000.0), "b": np.arange(6000) % 7}, parts=6)

    def summary(part: Table) -> tuple[float, str]:
        from distributed import get_worker

        return float(sum(batch["a"].sum() for batch in part.batches())), get_worker().address

    pieces = [table.only([part]) for part in table.parts]
    large = bytes(range(256)) * 1000  # a function that is sent to each worker once
    with Cluster(address=standing.address, workers=2, timeout=20).open(run) as workers:
        found = list(workers.map(summary, pieces))
        again = list(workers.map(lambda piece: (summary(piece), len(large))[0], pieces))
    assert [total for total, _ in found] == [float(piece.read(["a"])["a"].sum()) for piece in pieces]
    assert again == found
    assert [place for _, place in found[::2]] == [min(place for _, place in found)] * 3
    assert len({place for _, place in found}) == 2
