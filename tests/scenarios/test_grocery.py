"""A grocer without product data: tills and a web shop that learn from each other."""

from __future__ import annotations

import pytest

from stream.dead_letters import CODE
from stream.events import Limits
from stream.publisher import Outgoing
from tests.scenarios.events import basket, bought
from tests.scenarios.sector import STALE_MS, Sector, Told

SECTOR = Sector(
    "grocery",
    orders=[
        *bought(25, "pasta", "pesto", channel="till"),
        *bought(10, "pasta", "pesto", channel="web"),
        *bought(20, "coffee", "milk", channel="web"),
        *bought(2, "candles", "matches", channel="till"),
        *bought(80, "bread", channel="till"),
    ],
    baskets=[
        basket("web", "pasta"),
        basket("till", "pasta", channel="till", store_id="north-1", register_id="7"),
        basket("till-of-web-pair", "coffee", channel="till"),
        basket("in-time", "pasta", channel="till", limits=Limits(answer_within_ms=60_000)),
        basket("rare", "candles", channel="till"),
        basket("unheard-of", "dragon-fruit"),
    ],
    stale=[
        basket("too-late", "pasta", channel="till", limits=Limits(answer_within_ms=800)),
        basket("old-but-patient", "pasta", channel="till", limits=Limits(answer_within_ms=20 * STALE_MS)),
    ],
    letters=[
        Outgoing(
            b"pasta", b'{"event_id":"p-1","occurred_at":"2026-01-01T00:00:00Z","sku":"pasta","price":-1}'
        )
    ],
)


@pytest.mark.scenario("S30")
def test_a_till_is_answered_without_a_customer_and_within_its_deadline(told: Told) -> None:
    answer = told.answers["in-time"]

    assert (answer.customer_id, told.offered("in-time")) == (None, ["pesto"])
    assert told.offered("old-but-patient") == ["pesto"]


@pytest.mark.scenario("S30")
def test_an_answer_that_would_be_too_late_is_dropped_counted_and_told(told: Told) -> None:
    assert "too-late" not in told.answers
    assert "not answered because it would be too late: 1." in told.log
    assert "baskets.too_late 1" in told.log


@pytest.mark.scenario("S37")
def test_little_evidence_and_none_are_answered_with_silence_and_the_reason(told: Told) -> None:
    assert (told.offered("rare"), told.codes("rare")) == ([], {"matches": "BELOW_SUPPORT"})
    assert (told.offered("unheard-of"), told.codes("unheard-of")) == ([], {"dragon-fruit": "BELOW_SUPPORT"})


@pytest.mark.scenario("S39")
def test_without_product_data_the_orders_alone_decide(told: Told) -> None:
    offer = told.offer("web", "pesto")

    assert (offer.reason.code, offer.title, offer.price) == ("CO_PURCHASE", None, None)


@pytest.mark.scenario("S39")
def test_product_data_that_cannot_be_is_refused_with_the_reason(told: Told) -> None:
    [letter] = told.letters

    assert dict(letter.headers)[CODE] == b"SCHEMA"


@pytest.mark.scenario("S41")
@pytest.mark.scenario("S15")
def test_every_offer_was_learned_from_the_orders(told: Told) -> None:
    offers = [offer for answer in told.answers.values() for offer in answer.offers]

    assert len(offers) >= 5
    assert {offer.reason.code for offer in offers} == {"CO_PURCHASE"}


@pytest.mark.scenario("S44")
def test_till_and_web_share_their_counts(told: Told) -> None:
    web, till = told.offer("web", "pesto"), told.offer("till", "pesto")

    assert web.reason == till.reason
    assert (web.score, web.reason.evidence["together"]) == (till.score, 35)
    assert told.offered("till-of-web-pair") == ["milk"]
