"""What lines ask of the ladders of a whole batch: is there a step at all?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.candidates import consider, consider_all
from stream.decisions.codes import LOWER_RUNG, STEP_TOO_HIGH
from stream.decisions.decide import seen_policies
from stream.decisions.ladder import build_ladder
from stream.decisions.ladders import Asking, Ladders
from stream.decisions.model import Basket, Product
from stream.decisions.policy import Policy
from stream.decisions.stepless import FEW
from tests.decisions.shop import NOW_MS, POLICY, product, rung, views
from tests.decisions.shop import basket as basket_of

SHOES = [rung("plain", 1, 1000), rung("better", 2, 1400), rung("best", 3, 1600)]


def ladders(*products: Product) -> Ladders:
    return Ladders({"range": build_ladder(products, POLICY)})


def answer(
    known: Ladders, lines: Sequence[tuple[str, int, int]], currency: str = "EUR", most: float = 1.5
) -> tuple[list[bool], list[tuple[int, str, str]]]:
    """Which of the lines (range, level, price) climb, and what is told of the others."""
    ranges, levels, prices = zip(*lines, strict=True)
    found = known.ask(
        Asking(
            np.array([known.number(name) for name in ranges]),
            np.array(levels),
            np.array(prices),
            np.full(len(lines), known.currency(currency)),
            np.full(len(lines), most),
        )
    )
    told = [
        (line, entry.sku, entry.code) for line, entry in zip(found.lines.tolist(), found.passed, strict=True)
    ]
    return found.climbs.tolist(), told


def test_prices_alone_may_leave_no_step() -> None:
    known = ladders(*SHOES)

    assert answer(known, [("range", 1, 1000)]) == ([True], [])
    assert answer(known, [("range", 1, 900)]) == (
        [False],
        [(0, "better", STEP_TOO_HIGH), (0, "best", STEP_TOO_HIGH)],
    )
    assert answer(known, [("range", 1, 1500)]) == ([True], [])
    assert answer(known, [("range", 1, 1601)]) == (
        [False],
        [(0, "better", LOWER_RUNG), (0, "best", LOWER_RUNG)],
    )
    assert answer(known, [("range", 1, 1000)], most=1.39) == (
        [False],
        [(0, "better", STEP_TOO_HIGH), (0, "best", STEP_TOO_HIGH)],
    )


def test_of_the_highest_rung_the_next_below_is_told() -> None:
    known = ladders(*SHOES)

    assert answer(known, [("range", 3, 1600), ("range", 1, 900), ("range", 4, 1)]) == (
        [False] * 3,
        [
            (0, "better", LOWER_RUNG),
            (1, "better", STEP_TOO_HIGH),
            (1, "best", STEP_TOO_HIGH),
            (2, "best", LOWER_RUNG),
        ],
    )
    assert answer(ladders(SHOES[0]), [("range", 1, 1000)]) == ([False], [])


def test_a_ladder_that_was_not_read_has_no_step() -> None:
    assert answer(Ladders(), [("range", 1, 1000)]) == ([False], [])
    assert not Ladders()
    assert Ladders().get("range") is None


@pytest.mark.parametrize(
    ("better", "currency"),
    [
        (rung("better", 2, 5000), "USD"),
        (rung("better", 2, 5000, in_stock=False), "EUR"),
        (rung("better", 2, 5000, features={"size": "M"}), "EUR"),
    ],
    ids=["other currency", "sold out", "variants"],
)
def test_whatever_is_not_simply_for_sale_has_to_be_looked_at(better: Product, currency: str) -> None:
    known = ladders(rung("plain", 1, 1000), better, rung("else", 2, 9000, features={"size": "L"}))

    assert answer(known, [("range", 1, 1000)], currency) == ([True], [])


def test_a_line_without_a_price_has_that_of_the_catalogue() -> None:
    assert answer(ladders(*SHOES), [("range", 1, 0)]) == ([True], [])


def test_what_is_said_last_of_a_ladder_counts_and_takes_no_more_room_than_it_ever_had() -> None:
    known = Ladders()
    for n in range(300):
        for name in ("range", "other"):
            length = 1 + n % 3
            known.put(
                name, build_ladder([rung(f"{name}-{n}-{m}", m, 1000 + n) for m in range(length)], POLICY)
            )

    assert len(known._skus) == 2 * (1 + 2 + 3)
    assert [step.sku for step in known["other"].rungs] == ["other-299-0", "other-299-1", "other-299-2"]
    assert answer(known, [("other", 1, 100)]) == ([False], [(0, "other-299-2", STEP_TOO_HIGH)])


def test_many_ladders_have_room() -> None:
    many = {
        f"r{n}": build_ladder([rung(f"{n}-{m}", m, 100 * n + m) for m in range(n % 5)], POLICY)
        for n in range(500)
    }
    known = Ladders(many)

    for n in (3, 44, 494):
        climbs, told = answer(known, [(f"r{n}", 0, 1)])
        assert (climbs, [sku for _, sku, _ in told]) == ([False], [f"{n}-{m}" for m in range(1, n % 5)])


SKUS = [f"p{n}" for n in range(8)]


@st.composite
def products(draw: st.DrawFn, sku: str) -> Product:
    return product(
        sku,
        draw(st.sampled_from([None, 800, 1000, 1100, 1500, 1600])),
        currency=draw(st.sampled_from(["EUR", "EUR", "USD"])),
        kind=draw(st.sampled_from(["physical", "physical", "service"])),
        range_id=draw(st.sampled_from([None, "r1", "r1", "r2"])),
        rung=draw(st.integers(0, 3)),
        features=draw(st.sampled_from([{}, {}, {}, {"size": "M"}])),
        complements=draw(st.sampled_from([(), (), (), (("p0", 0.5),)])),
        in_stock=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    lines = draw(
        st.lists(
            st.tuples(st.sampled_from([*SKUS, "?"]), st.sampled_from([0, 700, 1000, 1100, 5000])), max_size=4
        )
    )
    return basket_of(
        *lines,
        max_step=draw(st.sampled_from([None, None, 1.1, 9.0])),
        max_price=draw(st.sampled_from([None, None, None, 1200])),
        timing=draw(st.sampled_from(["in_basket", "in_basket", "post_purchase"])),
        currency=draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"])),
    )


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(*map(products, SKUS)),
    st.lists(baskets(), min_size=1, max_size=6),
    st.sampled_from(
        [Policy(), Policy(max_step=1.05), Policy(trust_ranges=True), Policy(bans=frozenset({"p1"}))]
    ),
)
def test_a_basket_among_many_is_offered_the_steps_it_is_offered_alone(
    listed: tuple[Product, ...], asked: list[Basket], policy: Policy
) -> None:
    known = views(listed, {("p0", "p5"): 40, ("p1", "p6"): 30}, policy=policy)
    seen = seen_policies(asked, policy)

    together = consider_all(asked * FEW, known, seen, NOW_MS)

    assert together == [consider(one, known, seen[one.channel, one.tier], NOW_MS) for one in asked] * FEW
