"""The fit: here or on the workers of a cluster, in memory or with the bins on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway import DataError, Run, Split
from modelway_xgboost import machine
from modelway_xgboost.boosting import boost
from modelway_xgboost.layout import Layout
from modelway_xgboost.matrix import Rows, begin, one_class
from modelway_xgboost.messages import check
from modelway_xgboost.model import XGBoostModel
from modelway_xgboost.sizes import SHARE, Size, readable

if TYPE_CHECKING:
    from modelway_xgboost.trainer import XGBoost

#: Bytes of rows that are held where nothing else is said.
HELD = 256 << 20


def fit(config: XGBoost, split: Split, run: Run) -> XGBoostModel:
    """Fit on the training rows; see ``XGBoost.fit``."""
    if config.early_stopping and not split.count("valid"):
        raise DataError(
            "Early stopping needs validation rows, and the split has none",
            mend="Give the split a validation share, or leave early_stopping out",
        )
    begun: list[Any] = []  # the batches whose reading has begun, unless another trial knew the layout

    def look() -> tuple[Layout, bool]:
        layout, dense, batches = begin(split)
        begun.append(batches)
        return layout, dense

    layout, dense = run.share(f"xgboost layout {split.identity}", look, 1 << 16)
    parameters = config.parameters(split, layout.names, run.seed)
    if config.monotone:
        order = (config.monotone.get(name, 0) for name in layout.names)
        parameters["monotone_constraints"] = f"({','.join(map(str, order))})"
    check(parameters, len(layout.names), (field.name for field in fields(config)))
    watched = ["train"] if config.watch_train else []
    if config.early_stopping or (config.watch_valid and split.count("valid")):
        watched.append("valid")

    pieces = _shared_out(split, run)
    if pieces:
        from modelway_xgboost import cluster

        for batches in begun:
            batches.close()
        care = cluster.Care(config.checkpoint, config.restarts, config.patience, config.deadline)
        booster = cluster.train(
            split, pieces, layout, parameters, config.rounds, watched, config.early_stopping,
            None if config.memory is None else config.memory << 20, config.external_memory, dense, care, run,
        )  # fmt: skip
    else:
        booster = _here(config, split, layout, parameters, watched, begun, run, dense=dense)
    if config.device != "cpu":
        booster.set_param({"device": "cpu"})
    return XGBoostModel(booster, layout, split.task, len(split.classes))


def _shared_out(split: Split, run: Run) -> list[Split]:
    """Return the pieces to train on the workers, or nothing where training happens here."""
    if run.workers.client is None:
        return []
    from modelway_xgboost.cluster import pieces_of, width

    pieces, workers = pieces_of(split), width(run)
    if len(pieces) >= workers:
        return pieces
    run.log("trained", f"in the run's own process: {len(pieces)} parts with training rows for {workers} workers")
    return []


def _here(
    config: XGBoost, split: Split, layout: Layout, parameters: dict[str, Any], watched: list[str], begun: list[Any],
    run: Run, *, dense: bool,
) -> Any:  # fmt: skip
    threads = config.threads or run.threads
    parameters["nthread"] = threads
    settings = {"max_bin": parameters["max_bin"], "nthread": threads or None}
    held = HELD if config.memory is None else config.memory << 20
    phases = ["train", *(["valid"] if "valid" in watched else [])]
    rows = {phase: Rows((split,), phase, layout, settings, held) for phase in phases}
    with ExitStack() as stack:
        size = Size.of(rows.values(), dense)
        if _on_disk(config.external_memory, size, run):
            # Unlike the run's scratch it must not be kept in memory, and goes with the training.
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=run.scratch)))
            rows = {phase: Rows((split,), phase, layout, settings, held, cache) for phase in phases}
            matrices = _matrices(rows, begun)
        else:
            name = f"xgboost {split.identity} {' '.join(phases)} max_bin={settings['max_bin']}"
            matrices = run.share(name, lambda: _matrices(rows, begun), size.bins + size.rows // 2)
        labels = matrices["train"].get_label()
        if split.task != "regression" and labels.min() == labels.max():
            raise one_class(split, int(labels[0]))
        scored = {phase: matrices[phase] for phase in watched}
        booster = boost(parameters, matrices["train"], config.rounds, scored, config.early_stopping, run)
        del matrices, scored
        return booster


def _matrices(rows: Mapping[str, Rows], begun: list[Any]) -> dict[str, Any]:
    train = rows["train"].quantised(begun.pop() if begun else None)
    found = {"train": train}
    if "valid" in rows:
        found["valid"] = rows["valid"].quantised(ref=train)
    return found


def _on_disk(choice: str, size: Size, run: Run) -> bool:
    """Choose, and say what was chosen and why."""
    free = machine.available()
    disk = choice == "always" or (choice == "auto" and size.streamed > free * SHARE)
    run.log("memory", {"needed": size.streamed, "available": free, "bins": "disk" if disk else "memory"})
    if disk:
        why = f"in memory: {readable(size.streamed)}; free for them: {readable(free * SHARE)}"
        run.progress(f"bins kept on disk ({'as set' if choice == 'always' else why})", 0)
    return disk
