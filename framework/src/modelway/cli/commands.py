"""The commands, with one line of help each; reading this imports none of them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: the module that holds it, its place in the overview, and its help."""

    module: str
    group: str
    help: str


COMMANDS = {
    "run": Command("run", "Compose and run", "run a project: what is there already is not computed again; -m sweeps"),
    "plan": Command(
        "plan", "Compose and run", "say what 'run' would do, and why; --why KEY says where a value is from"
    ),
    "check": Command(
        "check", "Compose and run", "check a project's data alone, and report all that is broken: for CI and pre-commit"
    ),
    "schema": Command("schema", "Compose and run", "write a JSON Schema of the configuration, for editors"),
    "runs": Command("runs", "Look back", "list runs; search by project, metric, tag, parameter; tag and note them"),
    "sweeps": Command("sweeps", "Look back", "list sweeps; show one, follow it while it goes on, draw it"),
    "show": Command("show", "Look back", "show a run: steps, scores, costs, where things are"),
    "report": Command("report", "Look back", "write a run's report: one page with plots, and every stage explained"),
    "diff": Command("diff", "Look back", "compare runs side by side: configuration, scores, code"),
    "explain-change": Command(
        "explain_change",
        "Look back",
        "say what moved a metric between two runs: data, config, code, environment, chance",
    ),
    "trace": Command("trace", "Look back", "follow a run, model or bundle back to configuration, code and data"),
    "data": Command(
        "data", "Look at data", "profile, describe and compare tables; what was kept aside; infer and compare schemas"
    ),
    "outputs": Command(
        "outputs", "Look at data", "compare two models' predictions on the same rows, in sum and row by row"
    ),
    "models": Command("models", "Release", "list model versions and their aliases"),
    "promote": Command("promote", "Release", "make a model version the champion"),
    "bundle": Command("bundle", "Release", "package a project's model, or unpack a version's bundle"),
    "serve": Command("serve", "Release", "serve a model on this machine"),
    "score": Command("score", "Release", "score a file of rows with a model"),
    "plugins": Command("plugins", "Keep house", "list plugins and components; describe one"),
    "doctor": Command("doctor", "Keep house", "check plugins, store, ledger and environment"),
    "names": Command("names", "Keep house", "find names that break the convention, and propose good ones"),
    "completion": Command("completion", "Keep house", "print a script for tab completion: bash, zsh or fish"),
    "store": Command(
        "store", "Keep house", "verify the store, remove what no run on record needs, push to or pull from a shared one"
    ),
}
