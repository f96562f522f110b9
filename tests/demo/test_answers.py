"""Suggestions as the demo counts them: once each, with their latency, and scored when a basket is complete."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.demo.answers import TOP, Answers, OpenBasket
from stream.demo.hit_rate import Hits, hits_of


def suggestion(
    event_id: str, *skus: str, suggestion_id: str | None = None, timing: str = "in_basket"
) -> bytes:
    offers = [
        {"kind": "cross_sell", "sku": sku, "reason": {"code": "CO_PURCHASE", "evidence": {}, "text": "why"}}
        for sku in skus
    ]
    return msgspec.json.encode(
        {
            "suggestion_id": suggestion_id or f"s-{event_id}",
            "cause": {"topic": "t", "partition": 0, "offset": 1, "event_id": event_id},
            "timing": timing,
            "offers": offers,
            "suppressed": [],
        }
    )


def expecting(answers: Answers, *added: str) -> OpenBasket:
    basket = OpenBasket(added)
    for version in range(1, len(added) + 1):
        answers.expect(f"e{version}", basket, version, due_s=10.0 * version)
    return basket


def test_a_line_that_stood_in_the_suggestion_before_is_a_hit() -> None:
    answers = Answers()
    basket = expecting(answers, "bread", "butter", "jam")

    for raw in (suggestion("e2", "tea"), suggestion("e1", "milk", "butter"), suggestion("e3", "jam")):
        assert answers.read(raw, now_s=35.0)

    assert basket.complete.is_set()
    assert answers.hit_rate == Hits(hits=1, lines=2)
    assert answers.latencies_s == [15.0, 25.0, 5.0]


def test_only_the_first_ten_offers_can_be_hits() -> None:
    answers = Answers()
    expecting(answers, "bread", "butter")

    answers.read(suggestion("e1", *(f"p{n}" for n in range(TOP)), "butter"), now_s=0)
    answers.read(suggestion("e2"), now_s=0)

    assert answers.hit_rate == Hits(0, 1)
    assert answers.offers == {"cross_sell": TOP + 1}


def test_a_suggestion_read_twice_counts_once() -> None:
    answers = Answers()
    expecting(answers, "bread")

    assert answers.read(suggestion("e1"), now_s=0)
    assert not answers.read(suggestion("e1"), now_s=0)

    assert (answers.suggestions, answers.duplicates, answers.conflicting) == (1, 1, 0)


def test_a_second_id_for_the_same_cause_is_told_apart() -> None:
    answers = Answers()
    expecting(answers, "bread")

    answers.read(suggestion("e1"), now_s=0)
    answers.read(suggestion("e1", suggestion_id="another"), now_s=0)

    assert (answers.suggestions, answers.duplicates, answers.conflicting) == (1, 0, 1)


def test_a_suggestion_after_the_order_answers_no_basket() -> None:
    answers = Answers()
    expecting(answers, "bread")

    assert not answers.read(suggestion("e1", timing="post_purchase"), now_s=0)
    assert answers.waiting == 1


def test_a_record_that_is_no_suggestion_is_not_taken_for_one() -> None:
    with pytest.raises(msgspec.ValidationError):
        Answers().read(b"{}", now_s=0)


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=8),
    st.dictionaries(st.integers(1, 8), st.frozensets(st.sampled_from("abcd")), max_size=8),
)
def test_hits_are_counted_line_by_line(added: list[str], offered: dict[int, Any]) -> None:
    hits = lines = 0
    for n in range(1, len(added)):
        lines += 1
        hits += n in offered and added[n] in offered[n]

    assert hits_of(added, offered) == Hits(hits, lines)


def test_a_rate_of_nothing_is_zero() -> None:
    assert Hits(0, 0).rate == 0.0
