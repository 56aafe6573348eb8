"""``modelway store``: verify what is kept, or remove what no run on record needs."""

from __future__ import annotations

import argparse

from modelway.cli import composing, display
from modelway.errors import ModelwayError, StoreError
from modelway.workspace import Workspace

VERBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    gc = verbs.add_parser("gc", help="remove what no run on record needs")
    gc.add_argument(
        "--keep", type=int, default=0, metavar="N", help="keep only each project's newest N runs, and every version"
    )
    gc.add_argument(
        "--min-age",
        type=float,
        default=3600,
        metavar="SECONDS",
        help="leave what is younger: a run may be about to commit it",
    )
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    verbs.add_parser("verify", help="read every file and compare it with its digest")


def main(options: argparse.Namespace) -> int:
    """Verify or collect."""
    workspace = Workspace.find()
    store, ledger = workspace.store(warn=composing.warn), workspace.ledger()
    if options.verb == "verify":
        bad = 0
        for manifest in store.manifests():
            for name, (digest, _) in manifest.files.items():
                try:
                    store.open(digest)
                except ModelwayError as error:
                    bad += 1
                    print(f"{manifest.kind} {manifest.fingerprint[:12]} {name}: {error}")
        if bad:
            raise StoreError(f"{bad} files were corrupt or absent, and removed", mend="The next runs compute them anew")
        print("Every file matches its digest.")
        return 0
    needed = ledger.needed(options.keep)
    count, size = store.gc(
        lambda manifest: manifest.fingerprint in needed or manifest.kind in ("Environment", "Patch"),
        min_age=options.min_age, dry=options.dry_run,
    )  # fmt: skip
    print(f"{'Would remove' if options.dry_run else 'Removed'} {count} files, {display.size(size)}.")
    return 0
