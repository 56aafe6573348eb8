"""``modelway serve``: serve a model version on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from modelway.cli import composing
from modelway.cli.bundle import bundle_of, place
from modelway.errors import PluginError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "version", help="PROJECT (its champion), PROJECT@champion or PROJECT@NUMBER; PROJECT is a name or a path"
    )
    parser.add_argument("--port", type=int, default=3000, help="port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; by default this machine only")


def main(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from modelway.engine import manifest_of, unpack
    from modelway.plugins import Plugins

    workspace, version = composing.find_version(options.version)
    store = workspace.store(warn=composing.warn)
    manifest = manifest_of(workspace.ledger(), store, bundle_of(version))
    folder = unpack(store, manifest, place(workspace, version))
    used = next(iter(manifest.facts["ingredients"]["components"].values()))
    packager = Plugins().component("package", used["use"], used["params"])
    try:
        command, environment = packager.command(folder, options.host, options.port)
    except NotImplementedError:
        raise PluginError(f"The packager '{used['use']}' makes bundles that cannot be served from here") from None
    print(
        f"Serving {version['project']}@{version['number']} at http://{options.host}:{options.port}  (Ctrl-C stops)",
        flush=True,
    )
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the server would outlive this process
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait(timeout=15)
        print("Stopped.", file=sys.stderr)
        return 0
