"""The tally: what a worker has done since it started, in the words of the promises."""

from __future__ import annotations

import logging
from collections import Counter

logger = logging.getLogger(__name__)


class Tally:
    """Named counts of one worker. Names are `<what>` or `<what>.<outcome>`, never an id of a shop or a person."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        if count:
            self.counts[name] += count

    def set(self, name: str, count: int) -> None:
        """Take over a number that is counted elsewhere."""
        if count:
            self.counts[name] = count

    def report(self) -> None:
        """Log the counts, if any changed since the last report."""
        if self.counts != self._reported:
            self._reported = self.counts.copy()
            logger.info(
                "so far: %s", ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
            )
