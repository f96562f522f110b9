"""Feedback counted anew, the simplest way there is: what the tables of acceptance must show after a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stream.events import SuggestionFeedback

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PANE: Final = timedelta(days=28)
_LIVE_PANES: Final = 13


class FeedbackCounts:
    """How often each action was told of each token, by pane."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def add(self, event: SuggestionFeedback) -> None:
        """Count one event; one without a token teaches nothing."""
        if event.token is not None:
            pane = (event.occurred_at - _EPOCH) // _PANE
            self._counts[pane, event.token, event.action] += 1

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows of the panes that are live, in canonical order."""
        newest = max((pane for pane, *_ in self._counts), default=0)
        for (pane, token, action), count in sorted(self._counts.items()):
            if pane > newest - _LIVE_PANES:
                yield {"table": "acceptance", "pane": pane, "token": token, "action": action, "count": count}
