"""The command line: one small module per command, imported when that command is asked for."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from modelway.cli.commands import COMMANDS
from modelway.errors import ModelwayError, nearest

_USAGE = "modelway COMMAND [ARGUMENTS] [HYDRA OVERRIDES]"


def entry() -> None:
    """Run a command as a process of its own, and end the process.

    A command lives for seconds and imports a few hundred thousand objects. Collecting them every 700 allocations, and
    taking every module down one by one at the end, costs a tenth of a training run's processor time for nothing.
    """
    gc.set_threshold(100_000, 20, 100)
    code = main()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 1 a fault of Modelway itself, 2 wrong configuration or usage, 3 some trials of a sweep failed, 4 wrong
    data, 5 a plugin, 6 the store, 7 the ledger, 8 a gate refused, 9 someone else was first, 10 a stage failed,
    12 a cluster, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        from modelway import __version__

        print(f"modelway {__version__}")
        return 0
    # Threads that spin while they wait starve each other as soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command, debug = words[0], "--debug" in words
    rest = [word for word in words[1:] if word != "--debug"]  # it may stand anywhere, behind a verb too
    if command not in COMMANDS:
        print(f"modelway: There is no command '{command}'. {nearest(command, COMMANDS)}.", file=sys.stderr)
        return 2
    warnings.showwarning = _warning  # type: ignore[assignment]
    module, parser = load(command)
    options = parser.parse_intermixed_args(rest) if not getattr(module, "VERBS", False) else parser.parse_args(rest)
    try:
        return int(module.main(options) or 0)
    except ModelwayError as error:
        if debug:
            raise
        print(f"modelway: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("modelway: Interrupted. What was committed stays; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        print(
            f"modelway: A fault of Modelway itself: {type(error).__name__}: {error}."
            " Please report it, with what --debug prints.",
            file=sys.stderr,
        )
        return 1


def load(command: str) -> tuple[ModuleType, argparse.ArgumentParser]:
    """Import a command's module, and declare its arguments."""
    module = importlib.import_module(f"modelway.cli.{COMMANDS[command].module}")
    parser = argparse.ArgumentParser(
        f"modelway {command}", description=COMMANDS[command].help, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog=getattr(module, "EPILOG", None),
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="show a stack trace with an error")
    module.arguments(parser)
    return module, parser


def _overview() -> str:
    lines = [f"usage: {_USAGE}", "", "From declared configuration to a running, watched, retrained model.", ""]
    group, width = "", max(map(len, COMMANDS)) + 2
    for name, command in COMMANDS.items():
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"] if lines[-1] else [f"{group}:"]
        lines.append(f"  {name:<{width}}{command.help}")
    lines += [
        "",
        "'modelway COMMAND --help' says more. Overrides follow Hydra: model.max_depth=4 model=xgboost '~gates'.",
    ]
    return "\n".join(lines)


def _warning(message: Warning | str, *more: object) -> None:
    print(f"modelway: warning: {message}", file=sys.stderr)
