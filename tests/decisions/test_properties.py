"""What holds for every basket, shop and batch: checked against a plain reckoning with dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.decide import decide_batch
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import FRACTION
from stream.decisions.policy import Companion, Pin, Policy, Rule
from stream.decisions.settled import FEW
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, ORDERS, decide, offered, product, views
from tests.decisions.shop import basket as basket_of

SKUS = [f"p{n:02d}" for n in range(24)]
MOMENTS = st.sampled_from([None, NOW_MS - 1, NOW_MS, NOW_MS + 1])
SOME_SKUS = st.lists(st.sampled_from(SKUS), max_size=4)
# Few different counts, prices and weights: ties are what goes wrong.
COUNTS = st.sampled_from([1, 2, 3, 5, 8, 40])
PRICES = st.sampled_from([0, 1000, 1100, 1400, 2500])
DISMISSALS = st.sampled_from([NOW_MS - 30 * DAY_MS, NOW_MS - 30 * DAY_MS + 1, NOW_MS])
RANGES = st.sampled_from([None, None, "r1", "r2"])


@st.composite
def products(draw: st.DrawFn, sku: str) -> Product:
    return product(
        sku,
        draw(st.one_of(PRICES, st.none())),
        currency=draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"])),
        kind=draw(st.sampled_from(["physical", "service"])),
        category=draw(st.sampled_from([(), ("x",), ("x", "y"), ("z",)])),
        cost=draw(st.sampled_from([None, 100, 900])),
        range_id=draw(RANGES),
        rung=draw(st.integers(0, 3)),
        features=draw(
            st.dictionaries(
                st.sampled_from(["size", "f", "g"]), st.sampled_from([True, False, 1.0, "M", "L"])
            )
        ),
        complements=tuple((other, draw(st.sampled_from([0.01, 0.5, 1.0]))) for other in draw(SOME_SKUS)),
        in_stock=draw(st.sampled_from([True, True, True, False])),
        active=draw(st.sampled_from([True, True, True, False])),
        delisted=draw(st.sampled_from([False, False, False, True])),
        available_from_ms=draw(MOMENTS),
        available_until_ms=draw(MOMENTS),
    )


Shop = tuple[list[Product], dict[tuple[str, str], int], dict[str, int]]


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    listed = draw(st.lists(st.sampled_from(SKUS), unique=True, max_size=20))
    pairs = [(a, b) for n, a in enumerate(SKUS) for b in SKUS[n + 1 :]]
    together = draw(st.dictionaries(st.sampled_from(pairs), COUNTS, max_size=60))
    orders = {sku: draw(st.sampled_from([40, 100, 500_000])) for sku in SKUS}
    return [draw(products(sku)) for sku in listed], together, orders


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    lines = draw(st.lists(st.tuples(st.sampled_from([*SKUS, "unknown"]), PRICES), max_size=6))
    return basket_of(
        *lines,
        max_offers=draw(st.sampled_from([None, None, 0, 1, 3, 50])),
        max_price=draw(st.sampled_from([None, None, 1200])),
        exclude_skus=frozenset(draw(SOME_SKUS)),
        max_step=draw(st.sampled_from([None, 1.1, 3.0])),
        excluded_categories=frozenset(draw(st.sampled_from([[], [], ["x"], ["y"]]))),
        at_ms=draw(st.sampled_from([None, NOW_MS])),
        dismissed=draw(st.dictionaries(st.sampled_from(SKUS), DISMISSALS, max_size=3)),
        timing=draw(st.sampled_from(["in_basket", "in_basket", "post_purchase"])),
    )


POLICIES = st.builds(
    Policy,
    max_offers=st.integers(0, 6),
    max_upsells=st.integers(0, 3),
    max_per_category=st.sampled_from([None, 1, 2]),
    bundles=st.booleans(),
    trust_ranges=st.booleans(),
    dismissed_days=st.sampled_from([0.0, 30.0]),
    bans=st.frozensets(st.sampled_from(SKUS), max_size=3),
    banned_categories=st.sampled_from([frozenset(), frozenset({"y"})]),
    boosts=st.dictionaries(st.sampled_from(SKUS), st.sampled_from([0.5, 4.0]), max_size=3),
    pins=st.lists(
        st.builds(Pin, st.sampled_from(SKUS), st.sampled_from([(), ("p00", "p01")])), max_size=2
    ).map(tuple),
    complements=st.lists(st.builds(Companion, st.sampled_from(SKUS), st.sampled_from(SKUS)), max_size=2).map(
        tuple
    ),
    thresholds=st.sampled_from([{}, {"EUR": 3000}]),
    rules=st.sampled_from([(), (Rule(channel="web", bans=frozenset({"p02"})),)]),
)


def encoded(decisions: Sequence[object]) -> list[bytes]:
    return [msgspec.json.encode(decision) for decision in decisions]


@settings(max_examples=120, deadline=None)
@given(shops(), baskets(), POLICIES)
def test_nothing_is_offered_that_must_not_be(shop: Shop, asked: Basket, policy: Policy) -> None:
    known = {entry.sku: entry for entry in shop[0]}
    cart = {line.sku for line in asked.lines}

    decision = decide(asked, views(*shop, policy=policy), policy)

    assert len(decision.offers) <= (policy.max_offers if asked.max_offers is None else asked.max_offers)
    assert len(decision.suppressed) <= policy.max_suppressed
    assert decision.offers or decision.suppressed or not asked.lines
    skus = offered(decision)
    assert len(skus) == len(set(skus))
    assert not set(skus) & {entry.sku for entry in decision.suppressed}
    for offer in decision.offers:
        assert offer.sku not in cart
        assert offer.sku not in asked.exclude_skus
        assert asked.dismissed.get(offer.sku, 0) <= NOW_MS - policy.dismissed_days * DAY_MS
        assert offer.sku not in policy.bans
        assert not policy.rules or offer.sku != "p02"
        assert offer.sku not in known or not policy.banned_categories & set(known[offer.sku].category)
        assert_for_sale(known.get(offer.sku), asked)


def assert_for_sale(listed: Product | None, asked: Basket) -> None:
    if listed is None:
        assert asked.max_price is None
        return
    assert listed.in_stock
    assert listed.active
    assert not listed.delisted
    assert listed.available_from_ms is None or listed.available_from_ms <= NOW_MS
    assert listed.available_until_ms is None or listed.available_until_ms > NOW_MS
    assert not asked.excluded_categories & set(listed.category)
    assert listed.price is None or listed.currency == asked.currency
    if asked.max_price is not None:
        assert listed.price is not None
        assert listed.price <= asked.max_price


@settings(max_examples=120, deadline=None)
@given(shops(), baskets(), POLICIES)
def test_the_offers_of_a_decision_go_together(shop: Shop, asked: Basket, policy: Policy) -> None:
    known = {entry.sku: entry for entry in shop[0]}
    cart = {line.sku for line in asked.lines}

    seen = views(*shop, policy=policy)
    decision = decide(asked, seen, policy)

    ups = [offer for offer in decision.offers if offer.kind == "upsell"]
    crosses = [offer for offer in decision.offers if offer.kind != "upsell"]
    assert sum(offer.kind == "threshold" for offer in crosses) <= 1
    assert decision.offers == ups + crosses
    assert len(ups) <= policy.max_upsells
    assert len({offer.replaces_sku for offer in ups}) == len(ups)
    for offer in ups:
        held, better = known[offer.replaces_sku or ""], known[offer.sku]
        assert offer.replaces_sku in cart
        assert better.range_id == held.range_id
        assert better.rung > held.rung
        assert (offer.price_step or 0) >= 0
        assert offer.sku in [column.sku for column in offer.ladder]
        assert len({frozenset(column.features) for column in offer.ladder}) == 1
    for offer in ups:
        step = seen.lines[offer.replaces_sku or ""], seen.lines[offer.sku]
        assert policy.trust_ranges or step[1].item not in step[0].judged.beside
    added = [known[offer.sku] for offer in crosses if offer.sku in known]
    for entry in added:
        alike = [sku for sku in cart if sku in known and known[sku].range_id == entry.range_id is not None]
        assert not alike or not policy.trust_ranges
        assert all(seen.lines[sku].judged.lets_in(seen.lines[entry.sku].item) for sku in alike)
    bundled = [offer for offer in decision.offers if offer.bundle is not None]
    for bundle in {offer.bundle for offer in bundled}:
        parts = [offer for offer in bundled if offer.bundle == bundle]
        assert policy.bundles
        assert len(parts) == len({known[offer.sku].category or offer.sku for offer in parts}) >= 2
        assert bundle.main_sku in cart | {offer.sku for offer in ups}
    if policy.max_per_category is not None:
        shelves = Counter(entry.category for entry in added if entry.category)
        wanted = policy.wanted(asked.max_offers)
        assert max(shelves.values(), default=0) <= policy.max_per_category * math.ceil(wanted / 5)


@settings(max_examples=80, deadline=None)
@given(shops(), st.lists(baskets(), min_size=1, max_size=8), POLICIES, st.data())
def test_a_batch_says_what_each_basket_alone_would_hear(
    shop: Shop, asked: list[Basket], policy: Policy, data: st.DataObject
) -> None:
    known = views(*shop, policy=policy)
    alone = [encoded(decide_batch([one], known, policy, NOW_MS))[0] for one in asked]

    order = data.draw(st.permutations(range(len(asked))))
    together = encoded(decide_batch([asked[at] for at in order], known, policy, NOW_MS))

    assert together == [alone[at] for at in order]
    # So many are settled, and found to be without a step, at once.
    assert encoded(decide_batch(asked * FEW, known, policy, NOW_MS)) == alone * FEW


@settings(max_examples=80, deadline=None)
@given(shops(), baskets(), st.data())
def test_neither_the_order_of_lines_nor_the_numbering_matters(
    shop: Shop, asked: Basket, data: st.DataObject
) -> None:
    lines = data.draw(st.permutations(list(asked.lines)))
    numbering = data.draw(st.permutations(SKUS))
    changed = msgspec.structs.replace(asked, lines=lines)

    first = encoded([decide(asked, views(*shop))])

    assert encoded([decide(changed, views(*shop, numbering=numbering))]) == first


def reckoned(asked: Basket, together: dict[tuple[str, str], int], orders: dict[str, int]) -> list[str]:
    """The ranking by the formula, one pair at a time."""
    cart = sorted({line.sku for line in asked.lines})
    scores: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for own in cart:
        for pair, count in together.items():
            if own in pair:
                other = pair[0] if pair[1] == own else pair[1]
                if count >= 3 and count * ORDERS > orders[own] * orders[other]:
                    weight = count / (orders[own] + 30.0) / np.float64(orders[other]) ** 0.2
                    scores[other] += round(weight * FRACTION)
                    counts[other] += count
    return sorted(set(scores) - set(cart), key=lambda sku: (-scores[sku], -counts[sku], sku))


@settings(max_examples=120, deadline=None)
@given(shops(), st.lists(st.sampled_from(SKUS), max_size=6))
def test_without_a_catalogue_the_ranking_is_that_of_the_formula(shop: Shop, lines: list[str]) -> None:
    _, together, orders = shop
    asked = basket_of(*lines, max_offers=50)

    assert offered(decide(asked, views([], together, orders))) == reckoned(asked, together, orders)
