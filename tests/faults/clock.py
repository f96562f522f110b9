"""A worker whose clock is wrong, or jumps while it runs: libfaketime where Debian's package is installed, else ours.

libfaketime changes what every library of the process is told; ours what Python's `time.time` and `time.time_ns` say,
which is where the product and aiokafka ask.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
SHIFT = "FAULTS_CLOCK_FILE"
NOTICED_S = 1
"""So long after a shift at the latest the clock has jumped."""


def library() -> Path | None:
    """libfaketime, if it is here."""
    return next((path for folder in LIBRARIES if (path := Path(folder, "libfaketime.so.1")).is_file()), None)


class Clock:
    """The clock of a worker: `environ` starts it under this clock, `shift` makes it jump."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """From now on the clock is so many seconds ahead, or (negative) behind."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)

    @property
    def way(self) -> str:
        """How the clock is changed."""
        return "time.time" if library() is None else "libfaketime"

    def environ(self) -> Mapping[str, str]:
        """For the worker's process."""
        found = library()
        if found is None:
            return {SHIFT: str(self._file)}
        return {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Seconds it goes by what it has read: to read the file each time the clock is asked takes the whole core.
            "FAKETIME_CACHE_DURATION": str(NOTICED_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def follow_clock(file: str) -> None:
    """Shift this process's clock by what the file says, each time it is asked."""
    now_s, now_ns = time.time, time.time_ns

    def shift_s() -> int:
        return int(Path(file).read_text())

    time.time = lambda: now_s() + shift_s()
    time.time_ns = lambda: now_ns() + shift_s() * 1_000_000_000
