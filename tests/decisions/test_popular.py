"""What everybody buys and what goes with a category: when they speak, and what they claim."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream.decisions.examine import examine
from stream.decisions.lines import LineView
from stream.decisions.model import Decision
from stream.decisions.neighbours import CATALOGUE, CATEGORY, LATER, NeighbourRow, packed, told_row
from stream.decisions.policy import Fallback, Policy
from stream.decisions.popularity import may_speak, popular_row
from stream.decisions.scorers import GRID, SERVED
from stream.decisions.views import Views
from tests.decisions.shop import NOW_MS, PAIRS, SHELVES, basket, codes, decide, offered, product, views

BY_NAME = {scorer.name: scorer for scorer in GRID}


def popular(known: Views, orders: dict[str, int], scorer: str = "popularity", total: int = 1000) -> Views:
    items = np.array([known.skus.index(sku) for sku in orders], np.int64)
    row = popular_row(BY_NAME[scorer], items, np.array(list(orders.values()), np.int64), total)
    return msgspec.structs.replace(known, popular={("web", "none"): row})


def reasons(decision: Decision) -> dict[str, str]:
    return {offer.sku: offer.reason.code for offer in decision.offers}


def test_popularity_says_whose_orders_it_counted_and_claims_nothing_else() -> None:
    known = popular(views(SHELVES), {"tea": 300, "milk": 200})

    [first, second] = decide(basket("unknown"), known).offers

    assert (first.sku, second.sku, first.kind) == ("tea", "milk", "cross_sell")
    assert first.reason.code == "POPULAR"
    assert first.reason.evidence == {
        "segment": "all customers",
        "orders": 300,
        "of_orders": 1000,
        "window_days": 90,
    }
    assert first.reason.text == "300 of 1000 orders in 90 days had this (all customers)"
    assert first.score == pytest.approx(301 / 1001)
    assert offered(decide(basket("unknown", channel="pos"), known)) == []


def test_an_association_gives_the_reason_before_popularity_does_unless_it_speaks_against() -> None:
    shop = views(SHELVES, PAIRS, numbering=["other"])
    known = popular(shop, {"tea": 300, "milk": 200, "cream": 100})
    against = told_row(LATER, known.skus.index("other"), {known.skus.index("tea"): -0.01})
    known.lines.put("other", LineView(against.item, None, (against,)))

    assert reasons(decide(basket("bread"), known)) == {
        "tea": "POPULAR",
        "milk": "CO_PURCHASE",
        "coffee": "CO_PURCHASE",
        "cream": "POPULAR",
    }
    assert reasons(decide(basket("other"), known))["tea"] == "POPULAR"


def test_where_everything_speaks_against_a_product_it_is_no_offer() -> None:
    known = views(SHELVES, PAIRS)
    tea, bread = known.skus.index("tea"), known.skus.index("bread")
    known.lines.put("bread", LineView(bread, None, (told_row(CATALOGUE, bread, {tea: -1.0}),)))

    assert codes(decide(basket("bread"), known)) == {"tea": "BELOW_CONFIDENCE"}
    assert reasons(decide(basket("bread"), known, Policy(min_score=-2.0))) == {"tea": "COMPLEMENT"}


def test_categories_that_go_together_name_both_and_their_orders() -> None:
    shelves = [*SHELVES, product("mug", 900, category=("kitchen", "cups"))]
    known = views([*shelves, product("new-roast", 700, category=("pantry",))])
    roast, mug = known.skus.index("new-roast"), known.skus.index("mug")
    told = told_row(CATEGORY, roast, {mug: 1e-5})
    elements = packed(np.array(told.candidates()), np.array([9_999]), np.array([40]))
    row = NeighbourRow(roast, elements, 200, source=CATEGORY, about="cups")
    known.lines.put("new-roast", LineView(roast, None, (row,)))

    [offer] = decide(basket("new-roast"), known).offers

    assert (offer.sku, offer.reason.code) == ("mug", "CATEGORY_PAIR")
    assert offer.reason.evidence == {
        "sku": "new-roast",
        "category": "pantry",
        "goes_with": "cups",
        "together": 40,
        "orders": 200,
        "window_days": 90,
    }
    assert (
        offer.reason.text == "40 of 200 orders with something of pantry in 90 days also had something of cups"
    )


@pytest.mark.parametrize(
    ("fallback", "scorer", "measured", "speaks"),
    [
        ("measured", "popularity", True, True),
        ("measured", "popularity", False, False),
        ("measured", SERVED.name, True, False),
        ("popular", SERVED.name, False, True),
        ("none", "popularity", True, False),
    ],
)
def test_popularity_speaks_where_it_was_measured_or_the_shop_wants_it(
    fallback: Fallback, scorer: str, measured: bool, speaks: bool
) -> None:
    assert may_speak(BY_NAME[scorer], Policy(fallback=fallback), measured) is speaks


def test_examining_tells_of_rows_that_are_no_lines() -> None:
    known = popular(views(SHELVES, PAIRS), {"milk": 200})

    [first, *_] = examine(basket("bread"), known, Policy(), NOW_MS).candidates

    assert [(voice.source, voice.sku) for voice in first.voices] == [("orders", "bread"), ("popular", "")]


def test_what_goes_with_the_category_of_a_replaced_line_is_not_told_as_lost() -> None:
    rungs = [product(sku, 1000 + n, range_id="r", rung=n) for n, sku in enumerate(("a", "b"))]
    known = views([*rungs, product("mug")], {("a", "w"): 9}, {"b": 40})
    a = known.lines["a"]
    row = msgspec.structs.replace(told_row(CATEGORY, a.item, {known.skus.index("mug"): 1e-5}), about="cups")
    known.lines.put("a", LineView(a.item, a.learned, (row,), a.ranged))

    decision = decide(basket(("a", 1000)), known)

    assert offered(decision, "upsell") == ["b"]
    assert "mug" not in codes(decision)
