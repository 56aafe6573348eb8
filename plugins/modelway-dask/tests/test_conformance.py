"""Each compute and launcher keeps to the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from modelway_dask import Cluster, Dask, Joblib, Kubernetes, Local, Slurm, Ssh

from modelway import DataError
from modelway.testing import ComponentSuite, ComputeSuite


class TestLocal(ComputeSuite):
    """Processes of this machine."""

    component = Local(workers=2)


class TestCluster(ComputeSuite):
    """A cluster that is there."""

    component = Cluster(address="tcp://127.0.0.1:8786")

    @pytest.fixture(autouse=True)
    def _there(self, standing: Any) -> None:
        self.address = standing.address

    def make(self, folder: Path) -> Any:
        """Return the compute at the address of the tests' cluster."""
        return Cluster(address=self.address, timeout=20)


class TestKubernetes(ComponentSuite):
    """Pods; none is started."""

    component = Kubernetes(image="registry.example/project:1")


class TestSlurm(ComponentSuite):
    """Jobs; none is submitted."""

    component = Slurm()


class TestSsh(ComponentSuite):
    """Hosts; none is reached."""

    component = Ssh(hosts=("head", "node1"))


class LauncherSuite(ComponentSuite):
    """Checks of a launcher."""

    sweep: ClassVar[int] = 4

    def test_every_call_is_made_and_answers(self, tmp_path: Path) -> None:
        run = self.run(tmp_path)
        with self.make(tmp_path).open(run) as executor:
            answers = [executor.submit(lambda n, by: n * by, n, by=10) for n in range(self.sweep)]
            assert [answer.result(60) for answer in answers] == [0, 10, 20, 30]

    def test_an_error_is_the_callers(self, tmp_path: Path) -> None:
        def fail() -> None:
            raise DataError("The trial's data is bad", where="a.csv", mend="Mend it")

        with self.make(tmp_path).open(self.run(tmp_path)) as executor:
            error = executor.submit(fail).exception(60)
            assert isinstance(error, DataError)
            assert (error.what, error.where, error.mend) == ("The trial's data is bad", "a.csv", "Mend it")
            assert executor.submit(lambda: 3).result(60) == 3

    def test_says_how_many_go_on_at_once(self, tmp_path: Path) -> None:
        assert self.make(tmp_path).width(self.run(tmp_path)) == 2


class TestDask(LauncherSuite):
    """Trials on a cluster that is there."""

    component = Dask()

    @pytest.fixture(autouse=True)
    def _there(self, standing: Any) -> None:
        self.address = standing.address

    def make(self, folder: Path) -> Any:
        """Return the launcher at the address of the tests' cluster."""
        return Dask(address=self.address, timeout=20)


class TestJoblib(LauncherSuite):
    """Trials in processes of this machine."""

    component = Joblib(n_jobs=2)
