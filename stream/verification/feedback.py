"""Feedback counted anew, the simplest way there is: what the tables of acceptance must show after a log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stream.events import SuggestionFeedback

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PANE: Final = timedelta(days=28)
_LIVE_PANES: Final = 13
_REMEMBERED: Final = 50_000
"""An event whose id stood in one of so many offsets before its own came before."""


class FeedbackCounts:
    """How often each action was told of each token, by pane."""

    def __init__(self) -> None:
        self.repeated = 0
        """Events whose id had come before."""
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._heard: defaultdict[int, dict[str, int]] = defaultdict(dict)

    def add(self, partition: int, offset: int, event: SuggestionFeedback) -> None:
        """Count one event, in the order of its partition; one without a token teaches nothing."""
        if event.token is None:
            return
        if self._came_before(partition, offset, event.event_id):
            self.repeated += 1
            return
        pane = (event.occurred_at - _EPOCH) // _PANE
        self._counts[pane, event.token, event.action] += 1

    def _came_before(self, partition: int, offset: int, event_id: str) -> bool:
        """Whether the id, counted or not, stood in one of the offsets just before; from now on it stands here."""
        heard, since = self._heard[partition], offset - _REMEMBERED
        before = heard.get(event_id, -1)
        heard[event_id] = offset
        if len(heard) > 2 * _REMEMBERED:
            self._heard[partition] = {ident: at for ident, at in heard.items() if at >= since}
        return before >= max(since, 0)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows of the panes that are live, in canonical order."""
        newest = max((pane for pane, *_ in self._counts), default=0)
        for (pane, token, action), count in sorted(self._counts.items()):
            if pane > newest - _LIVE_PANES:
                yield {"table": "acceptance", "pane": pane, "token": token, "action": action, "count": count}
