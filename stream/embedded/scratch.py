"""A temporary folder that does not outlive its process for long, even when that is killed.

While a process lives it holds a lock on the file `owner.lock` in its folder; the kernel drops the lock at
its death. Whoever makes the next folder removes those whose lock nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "basketstream-"
_LOCK = "owner.lock"


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A new folder under the system's temporary folder, removed at the end."""
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
    # Locked first, named second: a lock file that can be seen is a lock that is held.
    unnamed = folder / "lock"
    lock = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unnamed.rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Remove the folders of processes of this user that are no more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        if lock.parent.is_symlink() or lock.parent.stat().st_uid != os.getuid():
            continue
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # removed by its owner or by another sweeper since we looked
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # alive
        else:
            shutil.rmtree(lock.parent, ignore_errors=True)
        finally:
            os.close(descriptor)
