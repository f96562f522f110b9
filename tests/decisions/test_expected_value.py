"""The rung, the line and the kind of offer by expected value; silence towards those who stay."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.acceptance import MOVE, Acceptance, Counts
from stream.decisions.attribution import Place, place_of
from stream.decisions.decide import decide_batch
from stream.decisions.examine import examine
from stream.decisions.model import Basket, Decision, Product
from stream.decisions.policy import Policy, Rule
from stream.decisions.views import Views
from tests.decisions.shop import NOW_MS, codes, decide, offered, product, views
from tests.decisions.shop import basket as basket_of
from tests.decisions.test_acceptance import COUNTED
from tests.decisions.test_properties import POLICIES, SKUS, Shop, baskets, encoded, shops


def rung(sku: str, step: int, price: int, **more: object) -> Product:
    return product(sku, price, range_id="phones", rung=step, **more)


LADDER = [rung("a", 1, 1000), rung("b", 2, 1080), rung("c", 3, 1400)]
NEXT, BEST = "upsell|10|none|phones", "upsell|50|none|phones"
CASES = "cross_sell|-|none|cases"


def seen(
    known: Views, counted: dict[str, tuple[int, int]], moves: dict[str, tuple[int, int]] | None = None
) -> Views:
    """The views of a shop in which so many of so many offers were taken, by token; and moves by band, of phones."""
    counts = [(place_of(token), Counts(*both)) for token, both in counted.items()]
    counts += [(Place(MOVE, band, "none", "phones"), Counts(*both)) for band, both in (moves or {}).items()]
    return msgspec.structs.replace(known, acceptance=Acceptance(counts))


def up(decision: Decision) -> tuple[str, int | None]:
    [offer] = [offer for offer in decision.offers if offer.kind == "upsell"]
    return offer.sku, offer.expected_value


def test_before_anything_is_counted_the_next_rung_is_offered_without_a_value() -> None:
    assert up(decide(basket_of(("a", 1000)), views(LADDER))) == ("b", None)


def test_without_evidence_of_its_own_no_rung_beats_the_next_one() -> None:
    known = seen(views(LADDER), {NEXT: (30, 300)})

    sku, value = up(decide(basket_of(("a", 1000)), known))

    assert (sku, value) == ("b", round(0.1 * 80))


def test_the_rung_of_the_largest_expected_value_is_offered_and_the_evidence_told() -> None:
    known = seen(views(LADDER), {NEXT: (10, 100), BEST: (100, 1000)})

    offer = decide(basket_of(("a", 1000)), known).offers[0]

    assert offer.sku == "c"
    assert offer.expected_value == pytest.approx(0.1 * 400, abs=1)
    assert offer.reason.evidence["accepted"] == 100
    assert offer.reason.evidence["shown"] == 1000
    assert offer.reason.evidence["accept_chance"] == pytest.approx(0.1, abs=0.01)
    assert [column.sku for column in offer.ladder] == ["a", "b", "c"]


def test_what_people_do_unprompted_is_enough_to_prefer_a_rung() -> None:
    known = seen(views(LADDER), {}, {"1:10": (5, 500), "1:50": (100, 500)})

    assert up(decide(basket_of(("a", 1000)), known))[0] == "c"
    assert up(decide(basket_of(("a", 1000), max_step=1.2), known))[0] == "b"


def test_where_costs_are_known_the_margin_counts_and_not_the_price() -> None:
    costs = {"a": 500, "b": 510, "c": 895}
    listed = [rung(one.sku, one.rung, one.price or 0, cost=costs[one.sku]) for one in LADDER]
    known = seen(views(listed), {NEXT: (10, 100), BEST: (100, 1000)})

    assert up(decide(basket_of(("a", 1000)), known)) == ("b", 7)


def test_those_who_stay_are_left_alone_once_enough_was_seen() -> None:
    for shown, answer in ((150, ["b"]), (2000, [])):
        known = seen(views(LADDER), {NEXT: (0, shown), BEST: (0, shown)})
        decision = decide(basket_of(("a", 1000)), known, Policy(accept_trials=1000))
        assert offered(decision) == answer
    assert codes(decision) == {"b": "UNLIKELY", "c": "UNLIKELY"}
    assert offered(decide(basket_of(("a", 1000)), known, Policy(min_accept=0.0))) == ["b"]


def test_a_tier_that_takes_offers_is_offered_what_another_is_spared() -> None:
    tokens = {NEXT: (0, 3000), NEXT.replace("none", "gold"): (300, 3000)}
    known = seen(views(LADDER), {**tokens, BEST: (0, 3000), BEST.replace("none", "gold"): (0, 3000)})

    assert offered(decide(basket_of(("a", 1000), tier="gold"), known)) == ["b"]
    assert offered(decide(basket_of(("a", 1000)), known)) == []
    by_rule = Policy(rules=(Rule(tier="gold", min_accept=0.5),))
    assert offered(decide(basket_of(("a", 1000), tier="gold"), known, by_rule)) == []


BAGS = [product("m", 5000, range_id="bags", rung=1), product("n", 5900, range_id="bags", rung=2)]


def test_of_two_lines_the_one_worth_more_is_upsold_once_either_was_counted() -> None:
    listed, asked = [*LADDER, *BAGS], basket_of(("a", 1000), ("m", 5000))

    assert offered(decide(asked, views(listed))) == ["b"]
    assert offered(decide(asked, seen(views(listed), {"upsell|25|none|boots": (1, 9)}))) == ["b"]
    known = seen(views(listed), {NEXT: (10, 100)})
    assert offered(decide(asked, known)) == ["n"]
    assert codes(decide(asked, known)) == {"b": "UPSELL_CAP"}
    assert offered(decide(msgspec.structs.replace(asked, viewing="a"), known)) == ["b"]


CASE = product("case", 3000, category=("it", "cases"))
TOGETHER = {("a", "case"): 60, ("b", "case"): 60}


def test_a_place_goes_to_what_is_worth_more() -> None:
    listed = [*LADDER, CASE]
    rare = {NEXT: (10, 1000), BEST: (10, 1000)}
    one = basket_of(("a", 1000), max_offers=1)

    plain = decide(one, views(listed, TOGETHER))
    assert offered(plain) == ["b"]
    # Of cross-sells nothing is known yet, so the upsell keeps its place.
    assert offered(decide(one, seen(views(listed, TOGETHER), rare))) == ["c"]
    known = seen(views(listed, TOGETHER), {**rare, CASES: (50, 1000)})
    decision = decide(one, known)
    assert offered(decision) == ["case"]
    assert codes(decision)["c"] == "OUTBID"
    assert decision.offers[0].expected_value == pytest.approx(0.05 * 3000, abs=5)
    assert decision.offers[0].reason.evidence["sku"] == "a"
    both = decide(basket_of(("a", 1000), max_offers=2), known)
    assert offered(both) == ["c", "case"]
    assert both.offers[1].reason.evidence["sku"] in ("a", "b", "c")
    dear = seen(views(listed, TOGETHER), {BEST: (900, 1000), CASES: (50, 1000)})
    assert offered(decide(one, dear)) == ["c"]
    found = examine(one, known, Policy(), NOW_MS)
    assert {seen_rung.sku: seen_rung.fate for seen_rung in found.rungs} == {"c": "OUTBID"}


def test_of_two_upsells_the_poorer_one_is_outbid() -> None:
    listed = [*LADDER, *BAGS, CASE]
    together = {**TOGETHER, ("m", "case"): 60, ("n", "case"): 60}
    known = seen(
        views(listed, together),
        {NEXT: (10, 1000), BEST: (10, 1000), CASES: (50, 1000), "upsell|25|none|bags": (900, 1000)},
    )
    policy = Policy(max_upsells=2)

    decision = decide(basket_of(("a", 1000), ("m", 5000), max_offers=2), known, policy)

    assert offered(decision) == ["n", "case"]
    assert "OUTBID" in codes(decision).values()


def test_what_has_no_price_outbids_nothing() -> None:
    listed = [*LADDER, product("case", None, category=("it", "cases"))]
    known = seen(views(listed, TOGETHER), {NEXT: (10, 1000), CASES: (500, 1000)})

    assert offered(decide(basket_of(("a", 1000), max_offers=1), known)) == ["b"]
    assert [offer.expected_value for offer in decide(basket_of("a"), known).offers][1:] == [None]


GOODS = [
    product("x", 500),
    product("cheap", 100, category=("p",)),
    product("dear", 9000, category=("q",), cost=1000),
    product("priceless", None),
]
BOUGHT = {("x", "cheap"): 50, ("x", "dear"): 40, ("x", "priceless"): 45}


def test_cross_sells_stand_by_score_unless_the_shop_wants_value_to_count() -> None:
    known, asked = views(GOODS, BOUGHT), basket_of("x")

    assert offered(decide(asked, known)) == ["cheap", "priceless", "dear"]
    assert offered(decide(asked, known, Policy(value_weight=0.5))) == ["dear", "cheap", "priceless"]
    assert offered(decide(basket_of("x", max_offers=1), known, Policy(value_weight=1.0))) == ["dear"]
    by_rule = Policy(rules=(Rule(channel="web", value_weight=0.5),))
    assert offered(decide(asked, known, by_rule)) == ["dear", "cheap", "priceless"]
    unliked = seen(known, {"cross_sell|-|none|q": (0, 5000), "cross_sell|-|none|p": (900, 5000)})
    assert offered(decide(asked, unliked, Policy(value_weight=0.5))) == ["cheap", "dear", "priceless"]


def test_a_pin_stays_in_front_whatever_it_is_worth() -> None:
    policy = msgspec.convert({"pins": [{"sku": "cheap"}], "value_weight": 1.0}, Policy)
    known = views(GOODS, BOUGHT, policy=policy)

    assert offered(decide(basket_of("x"), known, policy)) == ["cheap", "dear", "priceless"]
    values = decide(basket_of("x"), seen(known, {CASES: (500, 1000)}), policy).offers
    assert [offer.sku for offer in values] == ["cheap", "dear", "priceless"]
    assert all(offer.expected_value is not None for offer in values[:2])


@st.composite
def weighed(draw: st.DrawFn) -> tuple[Shop, Views, Policy]:
    """A shop of which something was counted, and a policy that lets value count, more or less."""
    shop, policy = draw(shops()), draw(POLICIES)
    policy = msgspec.structs.replace(
        policy, value_weight=draw(st.sampled_from([0.0, 0.5, 1.0])), accept_trials=5
    )
    counted = draw(COUNTED)
    scopes = {"phones": "r1", "bikes": "r2", "": "x", "a|b": "y"}
    counts = [(place._replace(scope=scopes[place.scope]), count) for place, count in counted.items()]
    return shop, msgspec.structs.replace(views(*shop, policy=policy), acceptance=Acceptance(counts)), policy


@settings(max_examples=80, deadline=None)
@given(weighed(), baskets())
def test_whatever_was_counted_nothing_is_offered_that_must_not_be(
    given: tuple[Shop, Views, Policy], asked: Basket
) -> None:
    (listed, *_), known, policy = given
    goods = {one.sku: one for one in listed}

    decision = decide(asked, known, policy)

    skus = offered(decision)
    assert (
        len(skus) == len(set(skus)) <= (policy.max_offers if asked.max_offers is None else asked.max_offers)
    )
    assert not set(skus) & ({line.sku for line in asked.lines} | asked.exclude_skus | policy.bans)
    assert not set(skus) & {entry.sku for entry in decision.suppressed}
    for sku in skus:
        assert asked.dismissed.get(sku, 0) <= NOW_MS - policy.dismissed_days * 86_400_000
        assert asked.max_price is None or (goods[sku].price or 0) <= asked.max_price
        assert sku not in goods or (goods[sku].in_stock and goods[sku].active and not goods[sku].delisted)


@settings(max_examples=60, deadline=None)
@given(weighed(), st.lists(baskets(), min_size=1, max_size=6), st.data())
def test_values_do_not_depend_on_the_batch_nor_on_the_numbering(
    given: tuple[Shop, Views, Policy], asked: list[Basket], data: st.DataObject
) -> None:
    shop, known, policy = given
    numbering = data.draw(st.permutations(SKUS))
    other = views(*shop, policy=policy, numbering=numbering)
    other = msgspec.structs.replace(other, acceptance=known.acceptance)

    alone = [encoded(decide_batch([one], known, policy, NOW_MS))[0] for one in asked]

    assert encoded(decide_batch(asked, known, policy, NOW_MS)) == alone
    assert encoded(decide_batch(asked, other, policy, NOW_MS)) == alone
