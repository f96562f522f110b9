"""Which baskets an answer still reaches in time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.deadlines import due
from stream.events import BasketUpdated, Limits
from stream.intake import Received
from tests.kafka_records import RECORD_TIME_MS, kafka_record


def asked(limits: Limits | None) -> Received[BasketUpdated]:
    event = BasketUpdated(
        event_id="e",
        occurred_at=datetime(2020, 1, 1, tzinfo=UTC),  # of no matter: a till may be years behind
        channel="till",
        basket_id="b",
        currency="EUR",
        lines=[],
        limits=limits,
    )
    made = kafka_record("basket-updated", b"b", b"{}")
    return Received(event, 0, made)


@pytest.mark.parametrize(
    ("limits", "after_ms", "late"),
    [
        (None, 10**9, False),
        (Limits(max_offers=1), 10**9, False),
        (Limits(answer_within_ms=800), -5, False),
        (Limits(answer_within_ms=800), 800, False),
        (Limits(answer_within_ms=800), 801, True),
    ],
)
@pytest.mark.scenario("S30")
def test_an_answer_is_late_once_more_time_than_allowed_has_passed_since_the_record(
    limits: Limits | None, after_ms: int, late: bool
) -> None:
    one = asked(limits)

    found = due([one], RECORD_TIME_MS + after_ms)

    assert found.in_time == ([] if late else [one])
    assert [(entry.waited_ms, entry.allowed_ms) for entry in found.late] == ([(801, 800)] if late else [])
