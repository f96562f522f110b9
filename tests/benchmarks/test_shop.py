"""The synthetic shop sends what the contracts allow, and the same every time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from benchmarks.order_job import pairs_of
from benchmarks.shop import LINES_OF_A_BASKET, LINES_OF_AN_ORDER, Shop
from stream.codec import decode
from stream.events import BasketUpdated, OrderPlaced, ProductUpdated

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def _shop() -> Shop:
    return Shop(skus=300, customers=50, seed=1, now=NOW)


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert _shop().baskets(200) == _shop().baskets(200)


def test_baskets_are_valid_and_about_400_bytes() -> None:
    messages = _shop().baskets(200)

    events = [decode(BasketUpdated, message.value) for message in messages]

    assert all(
        message.key == event.basket_id.encode() for message, event in zip(messages, events, strict=True)
    )
    assert {len(event.lines) for event in events} == {LINES_OF_A_BASKET}
    assert 350 < np.mean([len(message.value or b"") for message in messages]) < 450


def test_every_order_holds_distinct_products_and_none_is_in_the_future() -> None:
    events = [decode(OrderPlaced, message.value) for message in _shop().orders(500)]

    assert {len({line.sku for line in event.lines}) for event in events} == {LINES_OF_AN_ORDER}
    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
    assert max(event.occurred_at for event in events) <= NOW


def test_part_of_the_catalogue_stands_in_ranges() -> None:
    products = [decode(ProductUpdated, message.value) for message in _shop().products()]

    assert 0.15 < np.mean([product.range is not None for product in products]) < 0.25


def test_an_order_counts_the_pairs_of_fifty_products_at_most() -> None:
    assert [pairs_of(n) for n in (1, 2, 5, 50, 80)] == [0, 2, 20, 2_450, 2_450]
