"""What a customer needs once is not offered to whoever has it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream.decisions.examine import examine
from stream.decisions.habits import Habits, habits_of
from stream.decisions.policy import Policy
from stream.decisions.rhythm import Rhythm
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, POLICY, basket, codes, decide, offered, product, views

PLANS = [
    product(sku, 1000 + 200 * rung, range_id="software", rung=rung, kind=kind)
    for rung, (sku, kind) in enumerate(
        [("light", "subscription"), ("plus", "subscription"), ("pro", "subscription")], 1
    )
]
SHELVES = [
    *PLANS,
    product("laptop", 90_000),
    product("cloud", 500, kind="service"),
    product("washer", 40_000, category=("home", "white goods")),
    product("mouse", 2_000, category=("home", "mice")),
]
PAIRS = {("laptop", sku): 40 for sku in ("cloud", "washer", "mouse", "plus")}
WHITE = Policy(once_categories=frozenset({"white goods"}))


def of_ann(known: Views, *bought: str) -> Views:
    """The views with a customer ann who bought these once."""
    habits = habits_of([known.skus.index(sku) for sku in bought], [100] * len(bought), DAY_MS)
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(None, (), habits)})


@pytest.mark.parametrize(
    ("policy", "refused"), [(POLICY, {"cloud"}), (WHITE, {"cloud", "washer"})], ids=["usual", "white goods"]
)
def test_services_and_named_categories_are_not_sold_twice(policy: Policy, refused: set[str]) -> None:
    known = of_ann(views(SHELVES, PAIRS, policy=policy), "cloud", "washer", "mouse")

    decision = decide(basket("laptop", customer="ann"), known, policy)

    assert codes(decision) == dict.fromkeys(refused, "ALREADY_OWNED")
    assert set(offered(decision)) == {"cloud", "washer", "mouse", "plus"} - refused


def test_others_are_offered_what_somebody_has() -> None:
    known = of_ann(views(SHELVES, PAIRS), "cloud")

    assert "cloud" in offered(decide(basket("laptop"), known))
    assert "cloud" in offered(decide(basket("laptop", customer="bob"), known))


@pytest.mark.parametrize(
    ("has", "offer", "refused"),
    [
        ([], ["plus"], {}),
        (["light"], ["plus"], {}),
        (["plus"], ["pro"], {"plus": "ALREADY_OWNED"}),
        (["pro"], [], {"plus": "ALREADY_OWNED", "pro": "ALREADY_OWNED"}),
        (["laptop"], ["plus"], {}),
    ],
)
def test_a_subscription_is_upsold_to_what_the_customer_has_not_yet(
    has: list[str], offer: list[str], refused: dict[str, str]
) -> None:
    known = of_ann(views(SHELVES), *has)

    decision = decide(basket(("light", 1200), customer="ann"), known, policy := Policy(max_step=2.0))

    assert offered(decision) == offer
    assert {sku: code for sku, code in codes(decision).items() if code == "ALREADY_OWNED"} == refused
    seen = examine(basket(("light", 1200), customer="ann"), known, policy, NOW_MS)
    assert {rung.sku: rung.fate for rung in seen.rungs if rung.fate == "ALREADY_OWNED"} == refused


def test_a_phone_may_be_upsold_to_one_the_customer_bought_before() -> None:
    rungs = [product(sku, 1000 + n, range_id="phones", rung=n) for n, sku in enumerate(("a", "b"))]

    assert offered(decide(basket(("a", 1000), customer="ann"), of_ann(views(rungs), "b"))) == ["b"]


def test_what_is_bought_in_a_rhythm_is_due_again_though_it_is_a_subscription() -> None:
    known = views(SHELVES, PAIRS)
    cloud = known.skus.index("cloud")
    rhythm = Rhythm(cloud, 5, 30 * DAY_MS, NOW_MS - 29 * DAY_MS)
    five = np.array([5], np.int64)
    habits = Habits(
        np.array([cloud], np.int64), five, five.astype(float), np.array([100], np.int64), (rhythm,)
    )
    known = msgspec.structs.replace(known, shoppers={"ann": Shopper(None, (rhythm,), habits)})

    decision = decide(basket("laptop", customer="ann"), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers if offer.sku == "cloud"] == [
        ("buy_again", "cloud")
    ]
