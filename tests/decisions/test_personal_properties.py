"""What holds for every basket, shop and batch also where customers have a past and popularity may speak."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.decide import decide_batch
from stream.decisions.habits import habits_of, own_rows
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.popularity import popular_row
from stream.decisions.scorers import GRID, Scorer
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, decide, offered, views
from tests.decisions.test_properties import (
    POLICIES,
    SKUS,
    Shop,
    assert_for_sale,
    baskets,
    encoded,
    shops,
)

CUSTOMERS = ["ann", "bob"]
NOW = NOW_MS // DAY_MS
Bought = dict[str, list[tuple[str, int]]]

bought = st.fixed_dictionaries(
    {
        name: st.lists(
            st.tuples(st.sampled_from(SKUS[:6]), st.sampled_from([NOW - 30, NOW - 20, NOW - 10, NOW - 7])),
            max_size=14,
        )
        for name in CUSTOMERS
    }
)
scorers = st.sampled_from([scorer for scorer in GRID if scorer.own or scorer.popular > 0.01])
ordered = st.dictionaries(st.sampled_from(SKUS), st.sampled_from([10, 20, 500]), max_size=8)


@st.composite
def personal(draw: st.DrawFn) -> Basket:
    customer = draw(st.sampled_from([None, "stranger", *CUSTOMERS]))
    return msgspec.structs.replace(draw(baskets()), customer=customer)


def known(
    shop: Shop, policy: Policy, of: Bought, heads: dict[str, int], scorer: Scorer, numbering: list[str]
) -> Views:
    """The shop's views with what was bought of it; nothing in them may depend on how SKUs are numbered."""
    plain = views(*shop, policy=policy, numbering=numbering)
    index = {sku: item for item, sku in enumerate(plain.skus)}
    habits = {
        name: habits_of([index[sku] for sku, _ in entries], [pane for _, pane in entries], DAY_MS)
        for name, entries in of.items()
    }
    rows = own_rows(scorer, list(habits.values()), 1000)
    return msgspec.structs.replace(
        plain,
        shoppers={
            name: Shopper(row, each.rhythms) for (name, each), row in zip(habits.items(), rows, strict=True)
        },
        popular={
            ("web", "none"): popular_row(
                scorer,
                np.array([index[sku] for sku in heads], np.int64),
                np.array(list(heads.values()), np.int64),
                1000,
            )
        },
    )


@settings(max_examples=100, deadline=None)
@given(shops(), personal(), POLICIES, bought, ordered, scorers)
def test_a_past_brings_nothing_that_must_not_be_offered(
    shop: Shop, asked: Basket, policy: Policy, of: Bought, heads: dict[str, int], scorer: Scorer
) -> None:
    listed = {entry.sku: entry for entry in shop[0]}

    decision = decide(asked, known(shop, policy, of, heads, scorer, SKUS), policy)

    skus = offered(decision)
    assert len(skus) == len(set(skus))
    assert len(skus) <= (policy.max_offers if asked.max_offers is None else asked.max_offers)
    assert len(offered(decision, "buy_again")) <= policy.max_buy_again
    assert not set(skus) & {line.sku for line in asked.lines}
    assert not set(skus) & (asked.exclude_skus | policy.bans)
    assert not set(skus) & {entry.sku for entry in decision.suppressed}
    assert decision.offers or decision.suppressed or not asked.lines
    for sku in skus:
        assert_for_sale(listed.get(sku), asked)


@settings(max_examples=60, deadline=None)
@given(shops(), st.lists(personal(), max_size=6), POLICIES, bought, ordered, scorers, st.permutations(SKUS))
def test_a_decision_is_the_same_in_any_company_and_under_any_numbering(
    shop: Shop,
    asked: list[Basket],
    policy: Policy,
    of: Bought,
    heads: dict[str, int],
    scorer: Scorer,
    numbering: list[str],
) -> None:
    one, other = (known(shop, policy, of, heads, scorer, order) for order in (SKUS, numbering))

    together = encoded(decide_batch(asked, one, policy, NOW_MS))

    assert together == encoded([decide(each, other, policy) for each in asked])
