"""The rolling window: equal panes of event time, of which the newest `panes` count."""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Window:
    """`panes` tumbling panes of `pane_ms` each.

    >>> Window(pane_ms=10, panes=3).live(end=7)
    range(5, 8)
    """

    pane_ms: int = DAY_MS
    panes: int = 90

    def pane_of(self, at_ms: int) -> int:
        """Number of the pane that holds this moment; also right before 1970."""
        return at_ms // self.pane_ms

    def live(self, end: int) -> range:
        """Panes that count when `end` is the newest pane of all partitions, oldest first."""
        return range(end - self.panes + 1, end + 1)

    def is_late(self, pane: int, watermark: int) -> bool:
        """True for an order too old to count.

        `watermark` is the newest pane seen in the order's partition, this order included: an order can
        therefore never be late by itself.
        """
        return max(watermark, pane) - self.panes >= pane

    def days(self) -> int:
        """Length of the window in whole days, at least 1: what an explanation says."""
        return max(1, self.panes * self.pane_ms // DAY_MS)
