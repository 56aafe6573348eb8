"""``modelway store``: verify what is kept, remove what no run on record needs, and share it through another store."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from modelway.cli import composing, display
from modelway.errors import ConfigError, ModelwayError, StoreError
from modelway.workspace import Workspace

if TYPE_CHECKING:
    from modelway.ledger import Ledger
    from modelway.store import Store

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
    verify = verbs.add_parser("verify", help="read every file and compare it with its digest")
    verify.add_argument("url", nargs="?", default="", metavar="URL", help="another store than the workspace's")
    for verb, told in (
        ("push", "copy what runs on record need to a shared store: a folder, or a URL such as s3://bucket/store"),
        ("pull", "copy what runs on record need from a shared store"),
    ):
        moved = verbs.add_parser(verb, help=told)
        moved.add_argument("url", metavar="URL", help="the shared store")
        which = moved.add_mutually_exclusive_group()
        which.add_argument("--runs", nargs="+", default=None, metavar="RUN", help="only what these runs need")
        which.add_argument("--project", metavar="NAME", help="only what this project's runs need")
        which.add_argument("--all", action="store_true", help="everything that is there, on record here or not")


def main(options: argparse.Namespace) -> int:
    """Verify, collect, push or pull."""
    workspace = Workspace.find()
    store = workspace.store(getattr(options, "url", "") if options.verb == "verify" else "", composing.warn)
    if options.verb == "verify":
        return _verify(store)
    ledger = workspace.ledger()
    if options.verb == "gc":
        _check_known(workspace, store, ledger)
        return _collect(store, ledger, options)
    return _carry(workspace, store, ledger, options)


def _verify(store: Store) -> int:
    bad, held = 0, False
    for manifest in store.manifests():
        held = True
        for name, (digest, _) in manifest.files.items():
            try:
                store.open(digest)
            except ModelwayError as error:
                bad += 1
                print(f"{manifest.kind} {manifest.fingerprint[:12]} {name}: {error}")
    if bad:
        raise StoreError(f"{bad} files were corrupt or absent, and removed", mend="The next runs compute them anew")
    print("Every file matches its digest." if held else f"Nothing is in the store {store.url}.")
    return 0


def _check_known(workspace: Workspace, store: Store, ledger: Ledger) -> None:
    """Refuse to collect what runs need that another ledger has on record."""
    if store.url != workspace.store(str(workspace.state)).url and ledger.url == workspace.own_ledger:
        raise ConfigError(
            "The store is shared, and this workspace's ledger does not know what others' runs need", where=store.url,
            mend="Set MODELWAY_LEDGER to the ledger that all who use the store share",
        )  # fmt: skip


def _collect(store: Store, ledger: Ledger, options: argparse.Namespace) -> int:
    needed = ledger.needed(options.keep)
    count, size = store.gc(
        lambda manifest: manifest.fingerprint in needed or manifest.kind in ("Environment", "Patch"),
        min_age=options.min_age, dry=options.dry_run,
    )  # fmt: skip
    print(f"{'Would remove' if options.dry_run else 'Removed'} {count} files, {display.size(size)}.")
    return 0


def _carry(workspace: Workspace, own: Store, ledger: Ledger, options: argparse.Namespace) -> int:
    from modelway.store.transfer import carry

    shared = workspace.store(options.url, composing.warn)
    if shared.url == own.url:
        raise ConfigError("That is the workspace's own store", where=shared.url, mend="Name another one")
    source, target = (own, shared) if options.verb == "push" else (shared, own)
    if options.all:
        wanted = {manifest.fingerprint for manifest in source.manifests()}
    else:
        wanted = _needed(ledger, options)

    def progress(done: int, total: int, size: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} files, {display.size(size)} ", end="", file=sys.stderr, flush=True)

    done = carry(source, target, wanted, progress)
    if sys.stderr.isatty() and done.files:
        print(file=sys.stderr)
    verb, way = ("Pushed", "to") if options.verb == "push" else ("Pulled", "from")
    there = f"; {display.count(done.present, 'artifact')} there already" if done.present else ""
    absent = f"; {done.absent} that runs on record name not found" if done.absent else ""
    print(
        f"{verb} {display.count(done.artifacts, 'artifact')} {way} {shared.url}:"
        f" {display.count(done.files, 'file')}, {display.size(done.bytes)}{there}{absent}."
    )
    if options.verb == "pull" and not wanted and not options.all:
        print("No run on record here needs anything; --all takes everything that is there.")
    return 0


def _needed(ledger: Ledger, options: argparse.Namespace) -> set[str]:
    """Return the fingerprints of what runs need: their steps' outputs, environments, and patches of code."""
    from modelway.fingerprint import digest

    runs: list[str] | None = None
    if options.runs:
        runs = [ledger.run(prefix)["id"] for prefix in options.runs]
    elif options.project:
        runs = [row["id"] for row in ledger.runs(options.project, limit=1 << 31)]
        if not runs:
            raise ConfigError(f"Project '{options.project}' has no run on record", mend="'modelway runs' lists them")
    return ledger.needed(runs=runs) | {digest([kind, found]) for kind, found in ledger.provenance(runs)}
