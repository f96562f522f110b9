"""Ids of outputs are derived from what caused them."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from stream.identity import derived_id, offer_id, suggestion_id

IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@given(IDS, IDS, IDS, st.integers())
def test_a_suggestion_id_is_the_digest_of_its_cause(topic: str, basket: str, event: str, at_ms: int) -> None:
    cause = b"\0".join([b"suggestion", topic.encode(), basket.encode(), event.encode(), str(at_ms).encode()])

    assert suggestion_id(topic, basket, event, at_ms) == blake2b(cause, digest_size=16).hexdigest()


@given(st.lists(IDS, max_size=4), st.lists(IDS, max_size=4))
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    assert (derived_id("kind", *one) == derived_id("kind", *other)) is (one == other)


def test_the_same_product_for_two_lines_is_two_offers() -> None:
    ids = {
        offer_id("s", "upsell", "B", "A1"),
        offer_id("s", "upsell", "B", "A2"),
        offer_id("s", "upsell", "B"),
        offer_id("s", "cross_sell", "B"),
        offer_id("t", "upsell", "B", "A1"),
    }

    assert len(ids) == 5
    assert offer_id("s", "upsell", "B", "A1") in ids


@given(IDS, IDS)
def test_an_offer_says_which_suggestion_it_belongs_to(suggestion: str, sku: str) -> None:
    assert offer_id(suggestion, "cross_sell", sku).rpartition("-")[0] == suggestion
