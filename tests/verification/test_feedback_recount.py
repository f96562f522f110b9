"""The recount of feedback against the promise as it stands: an event whose id came just before is no second event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.events import SuggestionFeedback
from stream.verification import feedback
from stream.verification.feedback import FeedbackCounts

PHONES = "upsell|25|gold|phones"
REMEMBERED = 5


class Record(NamedTuple):
    """A record of feedback and its place in the log."""

    partition: int
    offset: int
    event_id: str
    token: str | None = PHONES


@pytest.fixture(name="short", autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "_REMEMBERED", REMEMBERED)


def recount(records: list[Record]) -> tuple[int, int]:
    """How often the one offer was told to be shown, and how many records were repeats."""
    counts = FeedbackCounts()
    for one in records:
        event = SuggestionFeedback(
            event_id=one.event_id,
            occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
            channel="web",
            suggestion_id="s",
            offer_id="o",
            action="shown",
            token=one.token,
        )
        counts.add(one.partition, one.offset, event)
    return sum(row["count"] for row in counts.rows()), counts.repeated


def test_an_event_sent_again_is_a_repeat_as_long_as_its_id_is_remembered() -> None:
    assert recount([Record(0, 7, "a"), Record(0, 7 + REMEMBERED, "a")]) == (1, 1)
    assert recount([Record(0, 7, "a"), Record(0, 8 + REMEMBERED, "a")]) == (2, 0)


def test_a_repeat_is_remembered_as_the_first_was() -> None:
    assert recount([Record(0, 4 * at, "a") for at in range(9)]) == (1, 8)


def test_another_partition_or_another_id_is_another_event() -> None:
    assert recount([Record(0, 0, "a"), Record(1, 0, "a"), Record(0, 1, "b")]) == (3, 0)


def test_an_event_without_a_token_teaches_nothing_and_is_not_remembered() -> None:
    assert recount([Record(0, 0, "a", None), Record(0, 1, "a"), Record(0, 2, "a", None)]) == (1, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 4), st.sampled_from("abcdefghijklmnop")), max_size=80
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_forgetting_what_is_old_changes_no_count(steps: list[tuple[int, int, str]]) -> None:
    ends, records = [-1, -1], list[Record]()
    for partition, gap, ident in steps:
        ends[partition] += gap
        records.append(Record(partition, ends[partition], ident))

    repeats = [
        one
        for one in records
        if any(
            (one.partition, one.event_id) == (other.partition, other.event_id)
            and 0 < one.offset - other.offset <= REMEMBERED
            for other in records
        )
    ]

    assert recount(records) == (len(records) - len(repeats), len(repeats))
