"""An examination tells of every candidate why it is, or is not, in the very decision that is made."""

from __future__ import annotations

from hypothesis import given, settings

from stream.decisions.decide import decide_batch
from stream.decisions.examine import NO_ROOM, OFFERED, Voice, examine
from stream.decisions.model import Basket
from stream.decisions.policy import Pin, Policy
from tests.decisions.shop import NOW_MS, product, views
from tests.decisions.shop import basket as basket_of
from tests.decisions.test_properties import POLICIES, Shop, baskets, shops


def test_every_candidate_has_its_place_its_voices_and_its_fate() -> None:
    policy = Policy(max_offers=2, pins=(Pin("w"),))
    goods = [
        product("a", complements=(("y", 0.5),)),
        product("x"),
        product("y"),
        product("z", in_stock=False),
    ]
    known = views(goods, {("a", "x"): 40, ("b", "x"): 20, ("a", "y"): 30, ("a", "v"): 4}, policy=policy)

    found = examine(basket_of("a", "b"), known, policy, NOW_MS)

    assert [(c.sku, c.fate) for c in found.candidates] == [
        ("w", OFFERED),
        ("y", OFFERED),
        ("x", NO_ROOM),
        ("v", NO_ROOM),
    ]
    pinned, named, learned, _ = found.candidates
    assert [voice.source for voice in pinned.voices] == ["pinned"]
    assert [(voice.sku, voice.source, voice.together) for voice in named.voices] == [
        ("a", "orders", 30),
        ("a", "catalogue", 0),
    ]
    assert learned.voices[1] == Voice("b", "orders", learned.voices[1].weight, 20, 100)
    assert abs(learned.score - sum(voice.weight for voice in learned.voices)) < 1e-8
    assert (named.title, pinned.title) == ("Y", None)


def test_rungs_that_were_looked_at_are_told_too() -> None:
    rungs = [
        product(s, price, range_id="r", rung=n)
        for n, (s, price) in enumerate([("a", 10), ("b", 99), ("c", 12)])
    ]

    found = examine(basket_of(("a", 10)), views(rungs), Policy(), NOW_MS)

    assert [(rung.sku, rung.fate) for rung in found.rungs] == [("b", "STEP_TOO_HIGH"), ("c", OFFERED)]


@settings(max_examples=60, deadline=None)
@given(shops(), baskets(), POLICIES)
def test_the_examined_decision_is_the_one_that_is_made(shop: Shop, asked: Basket, policy: Policy) -> None:
    known = views(*shop, policy=policy)

    found = examine(asked, known, policy, NOW_MS, most=10)

    assert found.decision == decide_batch([asked], known, policy, NOW_MS)[0]
    assert len(found.candidates) <= 10
    offered = {offer.sku for offer in found.decision.offers}
    assert {c.sku for c in found.candidates if c.fate == OFFERED} <= offered
    assert {c.sku for c in found.candidates if c.fate != OFFERED}.isdisjoint(offered)
