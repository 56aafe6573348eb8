"""A run of which nothing is left to do answers at once: it imports nothing heavy."""

from __future__ import annotations

import sys
from typing import Any

import pytest

HEAVY = {
    "pandas",
    "pyarrow",
    "numpy",
    "dask",
    "xgboost",
    "sklearn",
    "bentoml",
    "hydra",
    "omegaconf",
    "sqlalchemy",
    "yaml",
    "pandera",
}


@pytest.mark.parametrize(
    "words",
    [("run", "shop"), ("run", "shop", "--json"), ("plan", "shop"), ("runs",), ("models",), ("--help",)],
    ids=" ".join,
)
def test_a_command_with_nothing_to_compute_imports_nothing_heavy(
    bench: Any, settle: Any, words: tuple[str, ...]
) -> None:
    settle(bench.root)
    bench.run("shop")  # composed, and kept
    script = (
        "import sys; from modelway.cli import main; code = main(sys.argv[1:]);"
        " print('LOADED', *sys.modules); sys.exit(code)"
    )
    done = bench.apart(*words, script=script)
    assert done.code == 0, done.err
    loaded = {name.partition(".")[0] for name in done.out.rpartition("LOADED")[2].split()}
    assert not loaded & HEAVY
    assert "argparse" in loaded or sys.flags.no_site  # the list is one


def test_the_released_cancer_project_answers_at_once_too(bench: Any, cancer: Any, settle: Any) -> None:
    bench.add(cancer)
    settle(bench.root)
    bench.run("cancer", "~package")
    script = (
        "import sys; from modelway.cli import main; code = main(sys.argv[1:]);"
        " print('LOADED', *sys.modules); sys.exit(code)"
    )
    done = bench.apart("run", "cancer", "~package", script=script)
    assert "0 steps ran" in done.out
    assert not {name.partition(".")[0] for name in done.out.rpartition("LOADED")[2].split()} & HEAVY
