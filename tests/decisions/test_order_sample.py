"""What a sample of orders says: of channels and tiers with enough orders, and of categories that go together."""

from __future__ import annotations

import numpy as np
import pytest

from stream.decisions.category_pairs import category_row
from stream.decisions.neighbours import CATEGORY, FRACTION
from stream.decisions.order_sample import (
    CATEGORY_HEADS,
    FEWEST_ORDERS,
    MOST_CATEGORIES,
    SEGMENT_HEADS,
    OrderSample,
    SampledOrder,
    goes_with,
    summary,
)
from stream.decisions.popularity import popular_row
from stream.decisions.scorers import FILL, GRID

POPULARITY = GRID[0]


def orders(number: int, *skus: bytes, channel: str = "web", tier: str = "none") -> list[SampledOrder]:
    return [SampledOrder(channel, tier, skus)] * number


def test_a_segment_speaks_from_enough_orders_on_and_the_narrowest_first() -> None:
    few, enough = FEWEST_ORDERS - 1, FEWEST_ORDERS
    sample = summary(
        [
            *orders(enough, b"a", channel="pos", tier="gold"),
            *orders(few, b"b", channel="pos"),
            *orders(few, b"c", channel="app", tier="gold"),
            *orders(enough, b"d"),
        ],
        {},
    )

    def name(channel: str, tier: str) -> str | None:
        found = sample.segment(channel, tier)
        return None if found is None else found[0]

    assert name("pos", "gold") == "channel pos, tier gold"
    assert name("pos", "none") == "channel pos"
    assert name("app", "gold") == "tier gold"
    assert name("app", "silver") is None
    assert OrderSample().segment("pos", "gold") is None


def test_a_segment_that_is_nearly_everybody_is_none() -> None:
    sample = summary([*orders(9_999, b"a"), *orders(300, b"b", channel="pos")], {})

    assert sorted(sample.segments) == ["pos\0"]


def test_of_a_segment_the_most_ordered_items_are_known_by_count_then_by_id() -> None:
    many = [bytes([n]) for n in range(100)]
    sample = summary([*orders(FEWEST_ORDERS, *many), *orders(1, b"\x50"), *orders(300, channel="pos")], {})
    found = sample.segment("web", "none")

    assert found is not None
    assert found[1].heads[:2] == [(b"\x50", FEWEST_ORDERS + 1), (b"\x00", FEWEST_ORDERS)]
    assert len(found[1].heads) == SEGMENT_HEADS


def test_categories_go_together_where_orders_hold_both_more_often_than_chance() -> None:
    of = {b"tea": "tea", b"mug": "cups", b"pot": "cups", b"saw": "tools", b"nut": "tools", b"soap": "soap"}
    sample = summary(
        [
            *orders(20, b"tea", b"mug", b"pot"),
            *orders(10, b"tea", b"mug"),
            *orders(2, b"tea", b"soap"),
            *orders(5, b"tea", b"saw"),
            *orders(60, b"saw", b"nut", b"unknown"),
            *orders(1, b"nut"),
        ],
        of,
    )

    assert sample.categories["cups"].heads == [(b"mug", 30), (b"pot", 20)]
    assert [(other, together) for other, together, *_ in goes_with(sample, "tea", 3)] == [("cups", 30)]
    assert list(goes_with(sample, "tea", 3)) == [("cups", 30, 37, [(b"mug", 30), (b"pot", 20)])]
    assert list(goes_with(sample, "tea", 31)) == list(goes_with(sample, "unheard-of", 1)) == []


def test_of_categories_and_their_items_the_best_few_are_known() -> None:
    of = {bytes([n]): f"c{n % 8}" for n in range(200)}
    sample = summary([order for n in range(8) for order in orders(4, *of)] + orders(40), of)

    assert all(len(each.heads) == CATEGORY_HEADS for each in sample.categories.values())
    assert all(len(each.goes_with) == MOST_CATEGORIES for each in sample.categories.values())
    assert [name for name, _ in sample.categories["c0"].goes_with] == ["c1", "c2", "c3"]


def test_the_row_of_a_category_pair_weighs_more_than_what_fills_and_less_than_what_is_known() -> None:
    row = category_row(7, "cups", 30, 40, np.array([3, 5]), np.array([30, 15]))

    assert (row.item, row.orders, row.about, row.source) == (7, 40, "cups", CATEGORY)
    assert row.weights() == {
        3: pytest.approx(1.75 * FILL, abs=1 / FRACTION),
        5: pytest.approx(1.375 * FILL, abs=1 / FRACTION),
    }


def test_a_segments_popularity_weighs_as_the_shops_would() -> None:
    items = np.array([1, 2])
    shop = popular_row(POPULARITY, items, np.array([500, 100]), 1_000)
    part = popular_row(POPULARITY, items, np.array([50, 10]), 100, "channel pos", of_total=1_000)

    assert part.weights() == shop.weights()
    assert (part.orders, part.about) == (100, "channel pos")
