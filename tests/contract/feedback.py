"""Feedback as tests tell it, and what the recount of a log of it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from stream.events import SuggestionFeedback
from stream.tables import acceptance
from stream.tables.acceptance import PANE_MS, Told
from stream.verification.feedback import FeedbackCounts

FEEDBACK = "suggestion-feedback"
START_MS = 700 * PANE_MS
PHONES, BAGS = "upsell|25|gold|phones", "cross_sell|-|none|bags"
TOKENS = [PHONES, BAGS, "upsell|0|none|", "threshold|-|gold|é|x"]


def told(*said: tuple[str, str], first: int = 0, pane: int = 0) -> list[Told]:
    """Records one after another, each of an event of its own."""
    return [
        Told(first + at, START_MS + pane * PANE_MS + at, token, action, f"event-{first + at}")
        for at, (token, action) in enumerate(said)
    ]


def some(seed: int, number: int = 60, events: int = 0, panes: int = 20) -> list[Told]:
    """Records at every other offset, of so many events (0: each of its own)."""
    dice = Random(seed)
    return [
        Told(
            2 * at,
            START_MS + dice.randrange(panes * PANE_MS),
            dice.choice(TOKENS),
            dice.choice(list(acceptance.ACTIONS)),
            f"event-{dice.randrange(events) if events else at}",
        )
        for at in range(number)
    ]


def recounted(records: Sequence[Told], partition: int = 0) -> FeedbackCounts:
    """The recount of a partition's log."""
    counts, epoch = FeedbackCounts(), datetime(1970, 1, 1, tzinfo=UTC)
    for one in records:
        event = SuggestionFeedback(
            event_id=one.event_id,
            occurred_at=epoch + timedelta(milliseconds=one.at_ms),
            channel="web",
            suggestion_id="s",
            offer_id="o",
            action=one.action,  # type: ignore[arg-type]
            token=one.token,
        )
        counts.add(partition, one.offset, event)
    return counts


def expected(records: Sequence[Told]) -> list[dict[str, object]]:
    """The rows that the recount of a log makes."""
    return list(recounted(records).rows())
