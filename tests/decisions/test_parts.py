"""Tiers, the window, the policy's version, money, products, rows: the small parts on their own."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import explain, tiers, window
from stream.decisions.assortment import Assortment
from stream.decisions.lines import Lines
from stream.decisions.model import product_of
from stream.decisions.neighbours import neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.tiers import tier_after
from stream.decisions.views import Views
from stream.decisions.window import DAY_MS, Window
from stream.events import Complement, ProductUpdated, Range
from tests.decisions.shop import POLICY, product

THRESHOLDS = (0, 10_000, 50_000, 150_000, 500_000)


@pytest.mark.parametrize("module", [explain, tiers, window])
def test_the_examples_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spend", "current", "after"),
    [
        ({}, 0, 0),
        ({"EUR": 9_999}, 0, 0),
        ({"EUR": 10_000}, 0, 1),
        ({"EUR": 600_000}, 0, 4),
        ({"EUR": 40_000}, 2, 2),
        ({"EUR": 39_999}, 2, 1),
        ({"EUR": 7_999, "USD": 8_000}, 1, 1),
        ({"EUR": 7_999}, 1, 0),
        ({"EUR": 45_000}, 4, 2),
        ({}, 4, 0),
        ({"EUR": 400_000}, 9, 4),
    ],
)
def test_a_tier_rises_at_once_and_falls_only_well_below(
    spend: dict[str, int], current: int, after: int
) -> None:
    assert tier_after(spend, current, THRESHOLDS) == after


@given(st.lists(st.integers(0, 600_000), max_size=8), st.integers(0, 4))
def test_the_end_of_a_decline_does_not_depend_on_how_often_one_looked(amounts: list[int], held: int) -> None:
    falling = sorted(amounts, reverse=True)
    looked = held
    for amount in falling:
        looked = tier_after({"EUR": amount}, looked, THRESHOLDS)
    once = tier_after({"EUR": falling[0]}, held, THRESHOLDS) if falling else held
    for amount in falling[-1:]:
        once = tier_after({"EUR": amount}, once, THRESHOLDS)

    assert looked == once


def test_panes_are_days_of_event_time_also_before_1970() -> None:
    days = Window()

    assert [days.pane_of(at) for at in (-1, 0, DAY_MS - 1, DAY_MS)] == [-1, 0, 0, 1]
    assert days.live(100) == range(11, 101)
    assert days.days() == 90
    assert Window(pane_ms=1000, panes=60).days() == 1


def test_an_order_is_late_when_its_pane_left_the_window_of_its_partition() -> None:
    # panes:      7   8   9  10     watermark 10, three panes live
    #           late  [---------]
    three = Window(panes=3)

    assert [three.is_late(pane, 10) for pane in (6, 7, 8, 10, 11)] == [True, True, False, False, False]
    assert three.is_late(7, 10) is (7 not in three.live(10))


def test_a_version_names_the_content_of_a_policy() -> None:
    assert Policy().version == Policy().version
    assert len({Policy().version, Policy(max_offers=6).version, Policy(kept_features=()).version}) == 3


def test_a_catalogue_event_becomes_a_product() -> None:
    at = datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)
    event = ProductUpdated(
        event_id="e",
        occurred_at=at,
        sku="x",
        title="X",
        kind="service",
        category=["a", "b"],
        price=10,
        currency="EUR",
        range=Range("r", 3),
        complements=[Complement("y", 2.0)],
        available_from=at,
    )

    made = product_of(event)

    assert (made.range_id, made.rung, made.category) == ("r", 3, ("a", "b"))
    assert made.complements == (("y", 2.0),)
    assert (made.available_from_ms, made.available_until_ms) == (1_767_225_600_123, None)
    assert not made.plain
    bare = ProductUpdated(
        event_id="e", occurred_at=at, sku="x", title="X", kind="service", category=[], price=1, currency="EUR"
    )
    assert product_of(bare).range_id is None
    assert product_of(bare).plain


def test_a_margin_needs_price_and_cost() -> None:
    assert product("a", 1000, cost=300).margin() == 700
    assert product("a", 1000).margin() == product("a", None, cost=3).margin() == 0


def test_a_row_keeps_what_passes_the_floors_and_remembers_the_best_of_the_rest() -> None:
    row, empty = neighbour_rows(
        [7, 8],
        [100, 5],
        [0, 6, 6],
        np.array([9, 3, 5, 1, 2, 4], np.int32),
        np.array([50, 40, 30, 2, 2, 1], np.int64),
        np.array([100, 900_000, 200, 10, 10, 10], np.int64),
        10**6,
        POLICY,
    )

    assert list(row.weights()) == [9, 5]
    assert row.weights()[9] == pytest.approx(50 / 130 / 100**0.2, abs=2**-30)
    assert [(entry.item, entry.together, entry.code) for entry in row.refused] == [
        (3, 40, "BELOW_CONFIDENCE"),
        (1, 2, "BELOW_SUPPORT"),
        (2, 2, "BELOW_SUPPORT"),
    ]
    assert (empty.item, empty.orders, len(empty), empty.refused) == (8, 5, 0, ())


def test_what_decides_is_named_by_the_policy_and_the_scorer() -> None:
    views = Views(items={}, lines=Lines(), assortment=Assortment(), policy=POLICY)

    assert views.version == POLICY.version
    assert msgspec.structs.replace(views, scorer="baseline").version == f"{POLICY.version}+baseline"
