"""Baskets that are settled at once take what a walk down their ranking would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.candidates import consider_all
from stream.decisions.codes import CATEGORY_CAP, DELISTED, IN_CART, OUT_OF_STOCK, SAME_RANGE, STEP_TOO_HIGH
from stream.decisions.decide import decide_batch, seen_policies
from stream.decisions.habits import habits_of
from stream.decisions.model import Basket, Product
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranking
from stream.decisions.scoring import score
from stream.decisions.settled import FEW, settle
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, codes, decide, offered, product, rung, views
from tests.decisions.shop import basket as basket_of

OTHERS = [f"with-{n}" for n in range(9)]
TOGETHER = {("held", sku): 90 - n for n, sku in enumerate(OTHERS)}


def settled(known: Views, asked: Sequence[Basket], policy: Policy | None = None) -> set[int]:
    """Positions of the baskets that are settled, in a chunk of their own."""
    seen = seen_policies(asked, policy or Policy())
    chunk = consider_all(asked, known, seen, NOW_MS)
    ranking = Ranking(score(chunk, known.lines), known, 12)
    return set(settle(chunk, ranking, known).told)


def is_settled(known: Views, asked: Basket, policy: Policy | None = None) -> bool:
    """Whether a basket is, among enough others; either way it hears what it would alone."""
    policy = policy or Policy()
    batch = [asked, *[basket_of("held")] * FEW]
    assert decide_batch(batch, known, policy, NOW_MS)[0] == decide(asked, known, policy)
    return 0 in settled(known, batch, policy)


def test_a_basket_that_asks_for_nothing_in_particular_is_settled() -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)

    assert is_settled(known, basket_of("held"))
    assert offered(decide_batch([basket_of("held")] * FEW, known, Policy(), NOW_MS)[0]) == OTHERS[:5]


def test_of_few_baskets_none_is_settled() -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)

    assert settled(known, [basket_of("held")] * (FEW - 1)) == set()
    assert settled(known, [basket_of("held")] * FEW) == set(range(FEW))


@pytest.mark.parametrize(
    "wish",
    [
        {"max_price": 2000},
        {"exclude_skus": frozenset({"with-0"})},
        {"excluded_categories": frozenset({"x"})},
        {"dismissed": {"with-0": NOW_MS}},
        {"max_offers": 0},
        {"max_offers": 10},
    ],
    ids=lambda wish: next(iter(wish)),
)
def test_a_basket_with_wishes_or_too_few_candidates_is_not(wish: dict[str, object]) -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)

    assert not is_settled(known, basket_of("held", **wish))


@pytest.mark.parametrize(
    "policy",
    [
        Policy(bans=frozenset({"with-0"})),
        Policy(banned_categories=frozenset({"x"})),
        Policy(thresholds={"EUR": 5000}),
        Policy(value_weight=0.5),
        Policy(min_score=1.0),
        Policy(max_offers=0),
    ],
)
def test_a_shop_that_asks_for_more_walks(policy: Policy) -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)

    assert not is_settled(known, basket_of("held"), policy)


def test_each_basket_gets_as_many_as_it_asked_for() -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)
    batch = [basket_of("held", max_offers=1 + n % 7) for n in range(2 * FEW)]

    assert settled(known, batch) == set(range(len(batch)))
    assert [len(decision.offers) for decision in decide_batch(batch, known, Policy(), NOW_MS)] == [
        1 + n % 7 for n in range(len(batch))
    ]


def test_what_is_passed_over_is_told_with_its_code_in_the_order_of_the_ranking() -> None:
    known = views(
        [
            product("with-0", in_stock=False),
            product("with-2", delisted=True),
            *[product(sku) for sku in OTHERS[3:]],
        ],
        TOGETHER | {("with-1", "with-4"): 50},
        {"with-1": 120},
    )
    asked = basket_of("held", "with-1")

    assert is_settled(known, asked)
    [decision, *_] = decide_batch([asked] * FEW, known, Policy(), NOW_MS)
    assert offered(decision) == ["with-4", "with-3", "with-5", "with-6", "with-7"]
    assert [(entry.sku, entry.code) for entry in decision.suppressed] == [
        ("with-0", OUT_OF_STOCK),
        ("with-2", DELISTED),
        ("with-1", IN_CART),
    ]
    short = Policy(max_suppressed=2)
    assert is_settled(known, asked, short)
    assert len(decide_batch([asked] * FEW, known, short, NOW_MS)[0].suppressed) == 2


def test_what_has_a_date_is_asked_and_may_be_taken() -> None:
    for until, taken in ((NOW_MS + 1, True), (NOW_MS, False)):
        known = views(
            [product("with-0", available_until_ms=until), *[product(sku) for sku in OTHERS[1:]]], TOGETHER
        )

        assert is_settled(known, basket_of("held")) is not taken
        assert ("with-0" in offered(decide(basket_of("held"), known))) is taken


def test_a_substitute_of_a_line_is_passed_over_and_what_may_stand_beside_it_is_taken() -> None:
    small = rung("held", 2, 1000)
    larger = [rung("with-0", 1, 900), *[product(sku) for sku in OTHERS[1:]]]
    known = views([small, *larger], TOGETHER, dict.fromkeys(["held", *OTHERS], 1_000))
    judged = views([small, *larger], TOGETHER)

    assert is_settled(known, basket_of(("held", 1000)))
    assert codes(decide(basket_of(("held", 1000)), known))["with-0"] == SAME_RANGE
    assert not is_settled(judged, basket_of(("held", 1000)))
    assert "with-0" in offered(decide(basket_of(("held", 1000)), judged))


def test_rungs_that_are_no_step_up_are_told_first_and_at_most_half_of_what_is_told() -> None:
    ladder = [rung("held", 0, 100), *[rung(f"r{n}", n, 1000 + n) for n in range(1, 9)]]
    known = views(
        [*ladder, product("with-0", in_stock=False), *[product(sku) for sku in OTHERS[1:]]], TOGETHER
    )
    asked, policy = basket_of(("held", 100)), Policy(max_suppressed=7)

    assert is_settled(known, asked, policy)
    told = decide_batch([asked] * FEW, known, policy, NOW_MS)[0].suppressed
    assert [(entry.sku, entry.code) for entry in told] == [
        ("r1", STEP_TOO_HIGH),
        ("r2", STEP_TOO_HIGH),
        ("r3", STEP_TOO_HIGH),
        ("with-0", OUT_OF_STOCK),
    ]


def test_a_basket_that_is_offered_a_step_is_not_settled() -> None:
    known = views([rung("held", 1, 1000), rung("better", 2, 1100), *map(product, OTHERS)], TOGETHER)

    assert not is_settled(known, basket_of(("held", 1000)))
    assert is_settled(known, basket_of(("held", 5000)))


def test_more_than_a_shelf_has_places_for_is_for_the_walk() -> None:
    one_shelf = [product(sku, category=("shelf",)) for sku in OTHERS[:4]]
    known = views([*one_shelf, *[product(sku) for sku in OTHERS[4:]]], TOGETHER)
    asked = basket_of("held")

    assert not is_settled(known, asked)
    assert codes(decide(asked, known)) == {"with-3": CATEGORY_CAP}
    assert is_settled(known, asked, Policy(max_per_category=4))
    assert is_settled(known, asked, Policy(max_per_category=None))
    assert is_settled(known, basket_of("held", max_offers=3))


def test_a_customer_who_is_known_is_not_settled() -> None:
    known = views([product(sku) for sku in OTHERS], TOGETHER)
    ann = Shopper(habits=habits_of([known.skus.index("with-0")], [1], DAY_MS))
    known = msgspec.structs.replace(known, shoppers={"ann": ann})

    assert not is_settled(known, basket_of("held", customer="ann"))
    assert is_settled(known, basket_of("held", customer="bob"))


def test_where_nothing_was_ever_bought_together_there_is_nothing_to_settle() -> None:
    known = views([product("held")])

    assert not is_settled(known, basket_of("held"))


def test_candidates_that_score_the_same_are_for_the_walk() -> None:
    known = views([product(sku) for sku in OTHERS], dict.fromkeys(TOGETHER, 50))

    assert not is_settled(known, basket_of("held"))


@dataclass(frozen=True)
class Draw:
    """A shop in which hardly two candidates score the same, and baskets of it."""

    known: Views
    baskets: list[Basket]


SKUS = [f"p{n:02d}" for n in range(30)]


@st.composite
def draws(draw: st.DrawFn) -> Draw:
    listed: list[Product] = [
        product(
            sku,
            draw(st.sampled_from([1000, 1000, 1200, 1400, None])),
            currency=draw(st.sampled_from(["EUR"] * 5 + ["USD"])),
            category=draw(st.sampled_from([(), ("x",), ("y",), ("z",), ("x", "w")])),
            range_id=draw(st.sampled_from([None] * 4 + ["r1", "r2"])),
            rung=draw(st.integers(0, 3)),
            features=draw(st.sampled_from([{}, {}, {"size": "M"}, {"size": "L"}])),
            in_stock=draw(st.sampled_from([True] * 6 + [False])),
            available_until_ms=draw(st.sampled_from([None] * 6 + [NOW_MS, NOW_MS + 1])),
        )
        for sku in draw(st.lists(st.sampled_from(SKUS), unique=True, min_size=10))
    ]
    pairs = [(a, b) for n, a in enumerate(SKUS) for b in SKUS[n + 1 :]]
    together = {
        pair: 3 + 7 * n
        for n, pair in enumerate(draw(st.lists(st.sampled_from(pairs), unique=True, min_size=60)))
    }
    total = draw(st.sampled_from([10**6, 2_000]))
    lines = st.lists(
        st.tuples(st.sampled_from([*SKUS, "?"]), st.sampled_from([0, 900, 1000, 3000])), max_size=4
    )
    baskets = [
        basket_of(
            *draw(lines),
            max_offers=draw(st.sampled_from([None, 1, 3])),
            currency=draw(st.sampled_from(["EUR", "EUR", "USD"])),
            tier=draw(st.sampled_from(["none", "gold"])),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return Draw(views(listed, together, total=total), baskets)


@settings(max_examples=150, deadline=None)
@given(
    draws(), st.sampled_from([Policy(), Policy(max_per_category=1), Policy(trust_ranges=True, max_upsells=0)])
)
def test_settled_or_walked_a_basket_hears_the_same(drawn: Draw, policy: Policy) -> None:
    alone = [decide(one, drawn.known, policy) for one in drawn.baskets]

    assert decide_batch(drawn.baskets * FEW, drawn.known, policy, NOW_MS) == alone * FEW
