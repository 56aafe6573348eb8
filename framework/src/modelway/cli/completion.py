"""``modelway completion``: tab completion of commands, projects, group options and keys, for bash, zsh and fish."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from modelway.cli.commands import COMMANDS
from modelway.errors import ModelwayError
from modelway.workspace import Workspace

_SCRIPTS = {
    "bash": (
        "_modelway() { local IFS=$'\\n'; COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; "
        'COMPREPLY=($(modelway completion --words "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null)); }\n'
        "complete -o nospace -F _modelway modelway"
    ),
    "zsh": (
        '_modelway() { local -a found; found=(${(f)"$(modelway completion --words ${words[2,$CURRENT]} 2>/dev/null)"})'
        "; compadd -S '' -a found }\ncompdef _modelway modelway"
    ),
    "fish": "complete -c modelway -f -a '(modelway completion --words (commandline -opc)[2..] (commandline -ct))'",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "shell", nargs="?", choices=sorted(_SCRIPTS), help='print its script: eval "$(modelway completion bash)"'
    )
    parser.add_argument("--words", nargs=argparse.REMAINDER, help="print what may follow these words")


def main(options: argparse.Namespace) -> int:
    """Print a script, or what may come next."""
    if options.words is None:
        print(_SCRIPTS[options.shell or "bash"])
        return 0
    words = options.words or [""]
    try:
        found = sorted({word for word in candidates(words) if word.startswith(words[-1])})
    except ModelwayError:
        found = []
    print("\n".join(found))
    return 0


def candidates(words: Sequence[str]) -> Iterator[str]:
    """Yield what may stand in the last word's place, given the words before it."""
    if len(words) == 1:
        yield from (f"{name} " for name in COMMANDS)
    elif len(words) == 2:
        workspace = Workspace.find()
        yield from (f"{path.parent.parent.name} " for path in workspace.root.glob("projects/*/conf/config.yaml"))
    elif words[0] in ("run", "plan", "bundle"):
        yield from _overrides(words[1], words[-1])


def _overrides(project: str, word: str) -> Iterator[str]:
    from modelway.component import plain
    from modelway.config import compose
    from modelway.plugins import Plugins
    from modelway.stages import STAGES

    workspace, root = Workspace.project(project)
    plugins = Plugins(inline=root / "plugin.py")
    prefix = word[: len(word) - len(word.lstrip("+~"))]
    for stage, (_, _, key) in STAGES.items():
        yield from (f"{prefix}{key}={name} " for name in plugins.names(stage))
    for folder in (root / "conf", workspace.root / "conf"):
        for path in sorted(folder.glob("*/*.yaml")):
            yield f"{prefix}{path.parent.name}={path.stem} "
    experiment = compose(root, [], workspace, plugins, check=False)
    for stage, label, component in experiment.items():
        yield from (f"{prefix}{experiment.key(stage, label)}.{field}=" for field in component.config())
    yield from (f"{prefix}{key}=" for key in plain(experiment.settings))
