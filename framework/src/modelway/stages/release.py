"""Stages of a released model: package, deploy, score, monitor, retrain, notify."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from modelway.component import Component
from modelway.context import Event, Run
from modelway.values import Bundle, Deployment, Findings, Profile, Reason, ScoringModel, Table


class Packager(Component, ABC):
    """package: make something that a target can run."""

    stage: ClassVar[str] = "package"

    @abstractmethod
    def package(self, model: ScoringModel, run: Run) -> Bundle:
        """Write a bundle below ``run.scratch`` that holds all that is needed to score, golden rows included."""

    def command(self, root: Path, host: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command, and its extra environment, that serves an unpacked bundle at an address."""
        raise NotImplementedError


class Target(Component, ABC):
    """deploy: where bundles run."""

    stage: ClassVar[str] = "deploy"

    @abstractmethod
    def deploy(self, bundle: Bundle, run: Run) -> Deployment:
        """Make a bundle the one that runs."""

    @abstractmethod
    def current(self, run: Run) -> Deployment | None:
        """Return what runs now, or None."""

    @abstractmethod
    def rollback(self, to: Deployment, run: Run) -> Deployment:
        """Return to an earlier deployment."""


class Writer(Component, ABC):
    """score: where batch predictions go."""

    stage: ClassVar[str] = "score"

    @abstractmethod
    def write(self, predictions: Table, run: Run) -> str:
        """Write a table of predictions; returns where they are."""


class Monitor(Component, ABC):
    """monitor: what a deployment does, against a reference."""

    stage: ClassVar[str] = "monitor"

    @abstractmethod
    def observe(self, deployment: Deployment, reference: Profile, window: Table, run: Run) -> Findings:
        """Compare a window of captured predictions with the training reference."""


class Trigger(Component, ABC):
    """retrain: whether to train again; pure."""

    stage: ClassVar[str] = "retrain"

    @abstractmethod
    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        """Decide from what monitoring found and from the runs so far, newest last."""


class Sink(Component, ABC):
    """notify: where events are sent."""

    stage: ClassVar[str] = "notify"

    @abstractmethod
    def send(self, event: Event, run: Run) -> None:
        """Send an event; raising means that it is tried again."""
