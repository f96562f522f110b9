"""The rate at which a backlog was handled, from the first record after the warm-up to the last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from benchmarks.plan import WARM_UP


class Sample(NamedTuple):
    """At a moment (seconds of a monotonic clock) so many records were handled, with so many CPU seconds."""

    at_s: float
    done: int
    cpu_s: tuple[float, ...]
    """Of the contestant's process first, then of whatever else is watched."""


class Drained(Struct, frozen=True):
    """A drain without its warm-up. `cpu_s` as in the samples."""

    events: int
    seconds: float
    cpu_s: tuple[float, ...]

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def per_core_s(self) -> float:
        """Events a second of CPU time of the contestant's process."""
        return self.events / max(self.cpu_s[0], 1e-9)


def drained(samples: Sequence[Sample], total: int) -> Drained:
    """What lies between the sample at which the warm-up was over and the one at which all was done."""
    first = next(sample for sample in samples if sample.done >= total * WARM_UP)
    last = next(sample for sample in samples if sample.done >= total)
    if last is first:
        raise ValueError("all records were handled between two looks: make the backlog longer")
    spent = tuple(after - before for before, after in zip(first.cpu_s, last.cpu_s, strict=True))
    return Drained(last.done - first.done, last.at_s - first.at_s, spent)


class Meter:
    """Samples that a contestant takes of itself, once a batch."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._samples = [Sample(time.monotonic(), 0, (time.process_time(),))]

    def handled(self, records: int) -> bool:
        """Count records that are done with; True once all are."""
        self.done += records
        self._samples.append(Sample(time.monotonic(), self.done, (time.process_time(),)))
        return self.done >= self.total

    def drained(self) -> Drained:
        """The rate, once everything is done."""
        return drained(self._samples, self.total)
