"""Bundles: which offers belong together, and what they cost with their main item."""

from __future__ import annotations

import msgspec
import pytest

from stream.decisions.policy import Companion, Policy
from stream.identity import offer_id
from stream.suggestion import Offer
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import decide, product, views

BUNDLES = Policy(bundles=True)
NAMED = (("case", 1.0), ("mouse", 0.9), ("antivirus", 0.8))
SHOP = [
    product("laptop", 90000, category=("it", "laptops"), complements=NAMED),
    product("case", 3000, category=("it", "cases")),
    product("mouse", 2000, category=("it", "mice")),
    product("antivirus", 4000, category=("it", "software"), kind="subscription"),
    product("bag", 1000, category=("it", "cases")),
]


def bundled(offers: list[Offer]) -> dict[str, tuple[str, int] | None]:
    return {
        offer.sku: None if offer.bundle is None else (offer.bundle.main_sku, offer.bundle.price)
        for offer in offers
    }


@pytest.mark.scenario("S09")
@pytest.mark.scenario("S12")
def test_complements_of_one_item_are_offered_as_one_group_where_the_shop_wants_it() -> None:
    asked, known = basket_of(("laptop", 90000)), views(SHOP, {("laptop", "bag"): 50})

    offers = decide(asked, known, BUNDLES).offers

    whole = ("laptop", 99000)
    assert bundled(offers) == {"case": whole, "mouse": whole, "antivirus": whole, "bag": None}
    assert {offer.bundle.bundle_id for offer in offers if offer.bundle} == {
        offer_id("s-1", "bundle", "laptop")
    }
    plain = decide(asked, known).offers
    assert plain == [msgspec.structs.replace(offer, bundle=None) for offer in offers]


def test_two_of_one_category_make_no_bundle_and_one_of_them_is_in_it() -> None:
    twice = product("laptop", 90000, complements=(("case", 1.0), ("bag", 0.9)))
    assert bundled(decide(basket_of(("laptop", 90000)), views([twice, *SHOP[1:]]), BUNDLES).offers) == {
        "case": None,
        "bag": None,
    }
    more = product("laptop", 90000, complements=(("case", 1.0), ("bag", 0.9), ("mouse", 0.8)))
    assert bundled(decide(basket_of(("laptop", 90000)), views([more, *SHOP[1:]]), BUNDLES).offers) == {
        "case": ("laptop", 95000),
        "bag": None,
        "mouse": ("laptop", 95000),
    }


def test_without_a_price_of_the_main_item_or_of_a_complement_there_is_none() -> None:
    assert set(bundled(decide(basket_of("laptop"), views(SHOP), BUNDLES).offers).values()) == {None}
    priceless = [SHOP[0], SHOP[1], product("mouse", None, category=("it", "mice"))]
    assert set(bundled(decide(basket_of(("laptop", 90000)), views(priceless), BUNDLES).offers).values()) == {
        None
    }


def test_the_rung_that_is_offered_is_the_main_item_of_its_own_complements() -> None:
    listed = [
        product("laptop", 90000, range_id="laptops", rung=1, complements=NAMED),
        product("laptop-2", 99000, range_id="laptops", rung=2, complements=(("case", 1.0), ("mouse", 1.0))),
        *SHOP[1:],
    ]

    offers = decide(basket_of(("laptop", 90000)), views(listed), BUNDLES).offers

    assert bundled(offers) == {"laptop-2": None, "case": ("laptop-2", 104000), "mouse": ("laptop-2", 104000)}


def test_a_complement_by_hand_counts_and_one_that_lifts_the_basket_stays_in_its_bundle() -> None:
    policy = Policy(
        bundles=True,
        complements=(Companion("x", "cup", 1.0), Companion("x", "pot", 0.9)),
        thresholds={"EUR": 2500},
        threshold_reach=0.8,
    )
    listed = [product("x", 1000), product("cup", 500, category=("a",)), product("pot", 1500, category=("b",))]

    offers = decide(basket_of(("x", 1000)), views(listed, policy=policy), policy).offers

    assert [(offer.sku, offer.kind) for offer in offers] == [("cup", "cross_sell"), ("pot", "threshold")]
    assert bundled(offers) == {"cup": ("x", 3000), "pot": ("x", 3000)}
