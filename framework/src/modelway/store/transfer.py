"""Carrying artifacts from one store to another: files first, manifests last, so that nothing is ever there by half."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from modelway.errors import StoreError
from modelway.store import Manifest, Store

#: Files on their way at once: a shared store answers slowly, and many at a time.
_AT_ONCE = 8


@dataclass(frozen=True)
class Carried:
    """What a transfer did.

    Attributes:
        artifacts: Manifests entered in the target.
        present: Manifests that were there already.
        absent: Manifests that the source does not hold.
        files: Files copied.
        bytes: Their size.
        shared: Files of the artifacts entered that were there already.
    """

    artifacts: int
    present: int
    absent: int
    files: int
    bytes: int
    shared: int


def carry(
    source: Store,
    target: Store,
    fingerprints: Iterable[str],
    progress: Callable[[int, int, int], None] = lambda done, total, size: None,
) -> Carried:
    """Copy artifacts that the target lacks; what an earlier, interrupted copy brought there is not copied again.

    Args:
        source: Where they are; each file is compared with its digest as it is read.
        target: Where they go.
        fingerprints: Which.
        progress: Told files copied, files in all, and bytes copied.

    Raises:
        StoreError: a file of the source is corrupt, or the target cannot be written.
    """
    wanted = sorted(set(fingerprints))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = dict(zip(wanted, pool.map(target.lookup, wanted), strict=True))
        lacking = [fingerprint for fingerprint in wanted if there[fingerprint] is None]
        found = [manifest for manifest in pool.map(source.lookup, lacking) if manifest is not None]
        sizes = {digest: size for manifest in found for digest, size in manifest.files.values()}
        present = pool.map(target.has, sizes, sizes.values())
        needed = [digest for digest, has in zip(sizes, present, strict=True) if not has]

        def copy(digest: str) -> int:
            kept, size = target.put_file(source.open(digest))
            if kept != digest:
                raise StoreError(
                    f"The artifact file {digest[:12]} changed while it was read", where=source.url,
                    mend="Repeat the command",
                )  # fmt: skip
            return size

        done = size = 0
        for one in pool.map(copy, needed):
            done, size = done + 1, size + one
            progress(done, len(needed), size)
        list(pool.map(lambda manifest: _enter(target, manifest), found))
    return Carried(
        len(found), len(wanted) - len(lacking), len(lacking) - len(found), len(needed), size, len(sizes) - len(needed)
    )


def _enter(target: Store, manifest: Manifest) -> None:
    target.commit(manifest, replace=False)
    if target.lookup(manifest.fingerprint) is None:  # someone removed a file that nobody named yet
        raise StoreError(
            f"A file of {manifest.fingerprint[:12]} was removed from the store while it was copied", where=target.url,
            mend="Repeat the command, and let nobody collect garbage meanwhile",
        )  # fmt: skip
