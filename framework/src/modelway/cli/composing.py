"""Arguments that every composing command takes, and Hydra's own flags for looking at a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.errors import ConfigError
from modelway.plan import Select

if TYPE_CHECKING:
    from modelway.engine import Engine
    from modelway.workspace import Workspace


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add the project and its overrides."""
    parser.add_argument("project", help="name of a project below projects/, or a path")
    parser.add_argument(
        "overrides", nargs="*", default=[], help="Hydra overrides: model.max_depth=4 model=xgboost ~gates +tags.a=b"
    )
    parser.add_argument(
        "--cfg", choices=("job", "origin"), help="print the composed configuration, or where each key is from"
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose steps."""
    parser.add_argument("--from", dest="start", default="", metavar="STEP", help="start at this step or stage")
    parser.add_argument("--to", dest="end", default="", metavar="STEP", help="stop after this step or stage")
    parser.add_argument("--only", default="", metavar="STEP", help="only this step or stage")
    parser.add_argument("--force", action="store_true", help="compute the chosen steps anew, whatever is there")


def selection(options: argparse.Namespace) -> Select:
    """Return which steps were asked for.

    Raises:
        ConfigError: ``--only`` together with ``--from`` or ``--to``.
    """
    if options.only and (options.start or options.end):
        raise ConfigError("--only goes with neither --from nor --to")
    return Select(options.only or options.start, options.only or options.end)


def open_engine(options: argparse.Namespace, **more: Any) -> Engine:
    """Open the project that a command names."""
    from modelway.engine import Engine

    engine = Engine.open(options.project, options.overrides, warn=warn, **more)
    engine.cpu_before = 0.0
    return engine


def find_version(reference: str) -> tuple[Workspace, dict[str, Any]]:
    """Return a model version, and the workspace that it is in.

    Args:
        reference: ``PROJECT``, ``PROJECT@ALIAS`` or ``PROJECT@NUMBER``, where PROJECT is a project's name or path.

    Raises:
        ConfigError: there is no such version.
    """
    from modelway.workspace import Workspace

    workspace = Workspace.find()
    name, at, which = reference.partition("@")
    if "/" not in name and name != "." and any(row["project"] == name for row in workspace.ledger().versions(name)):
        return workspace, workspace.ledger().version(reference)
    if (Path(name) / "conf" / "config.yaml").is_file():
        from modelway.config import compose
        from modelway.plugins import Plugins

        workspace, root = Workspace.project(name)
        project = compose(root, [], workspace, Plugins(inline=root / "plugin.py"), check=False).project
        return workspace, workspace.ledger().version(f"{project}{at}{which}")
    return workspace, workspace.ledger().version(reference)


def warn(text: str) -> None:
    """Print a warning."""
    import sys

    print(f"modelway: warning: {text}", file=sys.stderr)


def print_config(engine: Engine, what: str) -> None:
    """Print the composed configuration as YAML, or each key's origin."""
    if what == "origin":
        from modelway.cli.display import table

        print(table(["key", "from"], sorted(engine.experiment.origin.items())))
        return
    import yaml

    print(yaml.safe_dump(engine.experiment.config, sort_keys=False, allow_unicode=True), end="")
