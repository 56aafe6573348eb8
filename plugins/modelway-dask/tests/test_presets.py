"""Clusters that are started for a run: what would be sent to Kubernetes and SLURM, and a real one through SSH."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from modelway_dask import Kubernetes, Slurm, Ssh

from modelway import ConfigError
from modelway.testing import make_run


@pytest.mark.parametrize(
    ("compute", "module", "package"),
    [
        (Kubernetes(image="a:1"), "dask_kubernetes", "dask-kubernetes"),
        (Slurm(), "dask_jobqueue", "dask-jobqueue"),
        (Ssh(hosts=("a", "b")), "asyncssh", "asyncssh"),
    ],
)
def test_a_package_that_is_missing_is_named(
    compute: Any, module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "distributed.deploy.ssh", raising=False)
    with pytest.raises(ConfigError, match=rf"needs {package}.*Install modelway-dask\[{compute.name}\]"):
        compute.open(make_run(tmp_path)).__enter__()


def test_the_pods_are_those_that_are_declared() -> None:
    pytest.importorskip("dask_kubernetes", reason="modelway-dask[kubernetes] is not installed")
    made = Kubernetes(image="registry.example/shop:3", workers=3, threads=2, memory="8GB", env={"A": "b"}).spec()
    worker = made["spec"]["worker"]
    (container,) = worker["spec"]["containers"]
    assert worker["replicas"] == 3
    assert container["image"] == "registry.example/shop:3"
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "8000000000"}
    assert container["args"][:6] == ["dask", "worker", "--nthreads", "2", "--memory-limit", "8000000000"]
    env = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    assert env["OMP_NUM_THREADS"] == "2"
    assert env["A"] == "b"


@pytest.mark.filterwarnings("ignore")  # of dask-jobqueue's own
def test_the_job_script_asks_for_what_is_declared() -> None:
    pytest.importorskip("dask_jobqueue", reason="modelway-dask[slurm] is not installed")
    made = Slurm(
        threads=4, memory="16GB", queue="short", account="team", walltime="00:30:00", directives=("--gres=gpu:1",),
        prologue=("module load python",),
    ).prepared()  # fmt: skip
    try:
        script = made.job_script()
    finally:
        made.close()
    for line in (
        "#SBATCH -p short", "#SBATCH -A team", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=15G", "#SBATCH -t 00:30:00",
        "#SBATCH --gres=gpu:1", "export OMP_NUM_THREADS=4", "module load python",
    ):  # fmt: skip
        assert line in script.splitlines(), script
    assert "--nthreads 4" in script
    assert "--memory-limit 14.90GiB" in script


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[int, Path, Path]]:
    """Yield port, private key and known hosts of an SSH server of the test's own."""
    server = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else "")
    if not server or os.geteuid() != 0:
        pytest.skip("It needs an SSH server, and root to start one")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "user.pub").read_text())
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    Path("/run/sshd").mkdir(exist_ok=True)
    options = [f"HostKey={tmp_path / 'host'}", f"AuthorizedKeysFile={tmp_path / 'authorized'}", "StrictModes=no",
               "PasswordAuthentication=no", "UsePAM=no", f"PidFile={tmp_path / 'pid'}",
               "PermitRootLogin=prohibit-password"]  # fmt: skip
    command = [server, "-D", "-e", "-f", "/dev/null", "-o", "ListenAddress=127.0.0.1", "-p", str(port)]
    with (tmp_path / "sshd.log").open("wb") as log:
        process = subprocess.Popen([*command, *(word for o in options for word in ("-o", o))], stderr=log, stdout=log)
    try:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, tmp_path / "user", tmp_path / "known"
    finally:
        process.terminate()
        process.wait(5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of asyncssh's own
def test_a_cluster_over_ssh_does_work(tmp_path: Path, sshd: Any) -> None:
    pytest.importorskip("asyncssh", reason="modelway-dask[ssh] is not installed")
    port, key, known = sshd
    compute = Ssh(
        hosts=("127.0.0.1",) * 3, port=port, key=str(key), known_hosts=str(known), memory="1GB", timeout=60
    )  # fmt: skip
    run = make_run(tmp_path)
    with compute.open(run) as workers:
        assert workers.shape == compute.shape(run) == {"workers": 2, "threads": 1}
        assert list(workers.map(lambda n: n + 1, range(5))) == [1, 2, 3, 4, 5]
