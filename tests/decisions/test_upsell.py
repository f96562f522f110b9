"""Moving up a range: which rung, and for which line."""

from __future__ import annotations

import msgspec
import pytest

from stream.decisions.lines import Lines, line_view
from stream.decisions.neighbours import ORDERS, NeighbourRow, told_row
from stream.decisions.policy import Policy
from stream.decisions.views import Views
from tests.decisions.shop import NOW_MS, codes, decide, offered, product, rung, views
from tests.decisions.shop import basket as basket_of


@pytest.mark.scenario("S01")
def test_an_upsell_is_a_higher_rung_of_the_same_range_and_replaces_the_line() -> None:
    known = views([rung("good", 1, 600), rung("better", 2, 700), rung("best", 3, 800)])

    offer = decide(basket_of(("good", 600)), known).offers[0]

    assert (offer.kind, offer.sku, offer.replaces_sku) == ("upsell", "better", "good")
    assert (offer.price, offer.price_step, offer.title) == (700, 100, "Better")


@pytest.mark.scenario("S02")
def test_better_trousers_are_of_the_same_size_and_gender() -> None:
    known = views(
        [
            rung("cotton-m", 1, 5000, features={"size": "M", "gender": "women"}),
            rung("wool-l", 2, 5500, features={"size": "L", "gender": "women"}),
            rung("wool-m-men", 2, 5600, features={"size": "M", "gender": "men"}),
            rung("wool-m", 2, 5900, features={"size": "M", "gender": "women"}),
        ]
    )

    offer = decide(basket_of(("cotton-m", 5000)), known).offers[0]

    assert offer.sku == "wool-m"
    assert [column.sku for column in offer.ladder] == ["cotton-m", "wool-m"]


def test_where_each_rung_has_one_size_the_size_is_the_rung() -> None:
    known = views(
        [rung("pizza-s", 1, 900, features={"size": "S"}), rung("pizza-m", 2, 1100, features={"size": "M"})]
    )

    assert offered(decide(basket_of(("pizza-s", 900)), known)) == ["pizza-m"]


@pytest.mark.scenario("S13")
def test_a_computer_of_600_becomes_one_of_900_and_the_units_stay() -> None:
    known = views([rung("pc-600", 1, 60000), rung("pc-900", 2, 90000)])

    decision = decide(basket_of(("pc-600", 60000)), known)

    assert [(o.kind, o.replaces_sku, o.price_step) for o in decision.offers] == [("upsell", "pc-600", 30000)]
    assert decision.offers[0].reason.text == "+300.00 EUR"


@pytest.mark.scenario("S14")
def test_between_two_products_of_the_next_rung_the_larger_margin_wins() -> None:
    known = views(
        [
            rung("base", 1, 100000),
            rung("a-thin", 2, 120000, cost=115000),
            rung("b-rich", 2, 120000, cost=60000),
            rung("c-unknown", 2, 120000),
        ]
    )

    assert offered(decide(basket_of(("base", 100000)), known)) == ["b-rich"]


def test_without_costs_the_cheaper_of_two_products_of_the_next_rung_wins() -> None:
    known = views([rung("base", 1, 1000), rung("a", 2, 1200), rung("b", 2, 1100)])

    assert offered(decide(basket_of(("base", 1000)), known)) == ["b"]


@pytest.mark.scenario("S35")
def test_stated_limits_hold_against_an_upsell() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1300), rung("c", 3, 1400)])

    assert codes(decide(basket_of(("a", 1000), max_price=1200), known)) == {
        "b": "OVER_LIMIT",
        "c": "OVER_LIMIT",
    }
    assert codes(decide(basket_of(("a", 1000), max_step=1.2), known)) == {
        "b": "STEP_TOO_HIGH",
        "c": "STEP_TOO_HIGH",
    }
    assert offered(decide(basket_of(("a", 1000), exclude_skus=frozenset({"b"})), known)) == ["c"]


def test_the_shoppers_step_does_not_widen_the_shops() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1600)])

    assert codes(decide(basket_of(("a", 1000), max_step=3.0), known)) == {"b": "STEP_TOO_HIGH"}


def test_a_rung_that_cannot_be_sold_is_stepped_over_with_its_code() -> None:
    known = views(
        [
            rung("a", 1, 1000),
            rung("b", 2, 1100, in_stock=False),
            rung("c", 3, 1200, delisted=True),
            rung("d", 4, 900),
            rung("e", 5, 1300, currency="USD"),
            rung("f", 6, 1400),
            rung("g", 7, 1450),
        ]
    )

    decision = decide(basket_of(("a", 1000)), known)

    assert offered(decision) == ["f"]
    assert codes(decision) == {
        "b": "OUT_OF_STOCK",
        "c": "DELISTED",
        "d": "LOWER_RUNG",
        "e": "OTHER_CURRENCY",
    }
    assert [column.sku for column in decision.offers[0].ladder] == ["a", "b", "d", "f", "g"]


def test_the_top_of_a_range_is_not_offered_anything_below_it() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200)])

    decision = decide(basket_of(("b", 1200)), known)

    assert (offered(decision), codes(decision)) == ([], {"a": "LOWER_RUNG"})


def test_a_range_of_one_has_nothing_to_say() -> None:
    assert codes(decide(basket_of(("a", 1000)), views([rung("a", 1, 1000)]))) == {"a": "BELOW_SUPPORT"}


def test_a_rung_in_the_cart_is_not_offered() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200)])

    assert codes(decide(basket_of(("a", 1000), ("b", 1200)), known)) == {"b": "IN_CART", "a": "LOWER_RUNG"}


def test_a_line_without_a_price_is_compared_at_the_catalogues() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200)])

    assert decide(basket_of("a"), known).offers[0].price_step == 200


def test_without_any_price_no_step_can_be_judged() -> None:
    known = views([rung("a", 1, 1000, currency="USD"), rung("b", 2, 1200)])

    assert codes(decide(basket_of("a"), known)) == {"b": "STEP_TOO_HIGH"}


def test_a_free_rung_above_a_free_line_scores_one() -> None:
    known = views([rung("a", 1, 0), rung("b", 2, 0)])

    assert decide(basket_of("a"), known).offers[0].score == 1.0


def test_a_sku_at_two_prices_is_stepped_up_from_the_higher() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200)])

    for lines in ((("a", 1000), ("a", 900)), (("a", 900), ("a", 1000))):
        assert decide(basket_of(*lines), known).offers[0].price_step == 200


def test_of_two_possible_upsells_the_smaller_relative_step_is_offered() -> None:
    products = [
        product("a1", 1000, range_id="A", rung=1),
        product("a2", 1400, range_id="A", rung=2),
        product("b1", 1000, range_id="B", rung=1),
        product("b2", 1100, range_id="B", rung=2),
    ]
    one, two = Policy(), Policy(max_upsells=2)
    asked = basket_of(("a1", 1000), ("b1", 1000))

    assert offered(decide(asked, views(products))) == ["b2"]
    assert codes(decide(asked, views(products), one)) == {"a2": "UPSELL_CAP"}
    assert offered(decide(asked, views(products), two)) == ["b2", "a2"]


def test_one_better_product_for_two_lines_is_offered_once() -> None:
    known = views([rung("a", 1, 1000), rung("b", 1, 1100), rung("c", 2, 1200)])

    decision = decide(basket_of(("a", 1000), ("b", 1100)), known, Policy(max_upsells=2))

    assert [(offer.sku, offer.replaces_sku) for offer in decision.offers] == [("c", "b")]
    assert codes(decision) == {}


@pytest.mark.scenario("S23")
@pytest.mark.scenario("S24")
def test_after_the_order_only_services_and_subscriptions_are_upsold() -> None:
    for kind, answer in (("physical", []), ("consumable", []), ("service", ["b"]), ("subscription", ["b"])):
        known = views([rung("a", 1, 1000, kind=kind), rung("b", 2, 1200, kind=kind)])

        decision = decide(basket_of(("a", 1000), timing="post_purchase"), known)

        assert offered(decision) == answer
        assert codes(decision) == ({} if answer else {"b": "WRONG_TIMING"})


def test_a_ladder_that_was_not_read_makes_no_upsell() -> None:
    known = views([product("a", 1000, range_id="lost", rung=1), product("b", 1100, range_id="lost", rung=2)])
    unread = msgspec.structs.replace(known, lines=Lines({sku: known.lines[sku] for sku in known.items}))

    assert offered(decide(basket_of(("a", 1000)), known)) == ["b"]
    assert offered(decide(basket_of(("a", 1000)), unread)) == []


def test_a_rung_that_left_its_range_after_the_ladder_was_read_is_not_offered_twice() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200), product("c")], {("a", "c"): 60, ("b", "c"): 50})
    known = msgspec.structs.replace(known, lines=Lines({"a": known.lines["a"]}, known.ladders))
    known.lines.put(
        "a", line_view(known.items["a"], told(known, {"b": 0.5, "c": 0.4}), None, rung("a", 1, 1000))
    )
    known.assortment.put(known.items["b"], product("b", 1200))

    decision = decide(basket_of(("a", 1000)), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [("upsell", "b"), ("cross_sell", "c")]


def told(known: Views, weights: dict[str, float]) -> NeighbourRow:
    """A learned row of the line `a`."""
    return told_row(ORDERS, known.items["a"], {known.items[sku]: weight for sku, weight in weights.items()})


def test_a_product_without_a_price_is_no_rung() -> None:
    known = views([rung("a", 1, 1000), product("b", None, range_id="range", rung=2)])

    assert offered(decide(basket_of(("a", 1000)), known)) == []


def test_a_dismissed_rung_is_stepped_over_until_its_time_is_over() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200), rung("c", 3, 1400)])
    days = 30 * 86_400_000

    for ago, answer in ((0, ["c"]), (days - 1, ["c"]), (days, ["b"])):
        decision = decide(basket_of(("a", 1000), dismissed={"b": NOW_MS - ago}), known)
        assert offered(decision) == answer
        assert codes(decision) == ({"b": "DISMISSED"} if answer == ["c"] else {})


def test_the_token_of_an_upsell_names_kind_step_tier_and_range() -> None:
    known = views([rung("a", 1, 1000), rung("b", 2, 1200)])

    assert decide(basket_of(("a", 1000), tier="gold"), known).offers[0].token == "upsell|25|gold|range"
    assert (
        decide(basket_of(("a", 1150), tier="set by hand"), known).offers[0].token == "upsell|10|other|range"
    )
