"""What is hidden of an order: the protocol's formula, to the letter."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions.hide_one import FEWEST_SKUS, MOST_SKUS, hidden_sku, is_sampled

SKUS = st.sets(st.text(max_size=4), min_size=FEWEST_SKUS, max_size=MOST_SKUS)


@given(st.text(), SKUS)
def test_the_hidden_sku_is_the_one_the_digest_of_the_order_id_names(order_id: str, skus: set[str]) -> None:
    digest = int(sha256(order_id.encode()).hexdigest(), 16)

    assert hidden_sku(order_id, skus) == sorted(skus)[digest % len(skus)]
    assert hidden_sku(order_id, sorted(skus, reverse=True)) == hidden_sku(order_id, skus)


@pytest.mark.parametrize("size", [0, 1, 81, 500])
def test_an_order_of_one_sku_or_more_than_eighty_is_no_test(size: int) -> None:
    assert hidden_sku("order", [str(i) for i in range(size)]) is None


def test_a_sample_is_about_one_in_so_many_and_says_nothing_of_what_is_hidden() -> None:
    orders = [str(order) for order in range(4_000)]
    sampled = [order for order in orders if is_sampled(order, 4)]
    hidden = [hidden_sku(order, {"a", "b"}) for order in sampled]

    assert 900 < len(sampled) < 1_100
    assert 0.4 < hidden.count("a") / len(hidden) < 0.6
    assert all(is_sampled(order, 1) for order in orders)
