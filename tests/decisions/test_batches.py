"""Batches of any size and baskets of any length: what is decided together is what each would hear alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decisions.candidates import consider
from stream.decisions.decide import decide_batch
from stream.decisions.model import Basket, BasketLine
from stream.decisions.policy import Policy
from stream.decisions.scoring import ROWS_AT_ONCE, in_chunks
from stream.decisions.views import Views
from tests.decisions.shop import NOW_MS, decide, product, views
from tests.decisions.shop import basket as basket_of
from tests.decisions.test_properties import encoded


def test_batches_of_five_hundred_and_of_one_agree() -> None:
    known, asked = random_shop(400, 500)
    policy = Policy()

    together = encoded(decide_batch(asked, known, policy, NOW_MS))

    assert together == [encoded(decide_batch([one], known, policy, NOW_MS))[0] for one in asked]


def test_no_baskets_make_no_decisions() -> None:
    assert decide_batch([], views(), Policy(), NOW_MS) == []


def random_shop(skus_count: int, baskets_count: int) -> tuple[Views, list[Basket]]:
    rng = np.random.default_rng(7)
    skus = [f"s{n:04d}" for n in range(skus_count)]
    pairs = rng.integers(0, skus_count, (30 * skus_count, 2)).tolist()
    counts = rng.integers(1, 30, len(pairs)).tolist()
    together = {
        (skus[min(a, b)], skus[max(a, b)]): n for (a, b), n in zip(pairs, counts, strict=True) if a != b
    }
    listed = [
        product(
            sku, 1000 + n % 7, range_id=f"r{n // 5}" if n % 3 == 0 else None, rung=n % 5, in_stock=n % 11 > 0
        )
        for n, sku in enumerate(skus)
    ]
    sizes = rng.integers(0, 9, baskets_count).tolist()
    asked = [basket_of(*[skus[at] for at in rng.integers(0, skus_count, size)]) for size in sizes]
    return views(listed, together, {sku: 50 + n for n, sku in enumerate(skus)}), asked


def test_a_basket_of_two_thousand_lines_is_answered_like_any_other() -> None:
    rng = np.random.default_rng(3)
    skus = [f"s{n:05d}" for n in range(4000)]
    together: dict[tuple[str, str], int] = {}
    for n in range(2000):
        for other in rng.integers(0, 4000, 20).tolist():
            if other > n:
                together[skus[n], skus[other]] = int(rng.integers(3, 6))
    orders = dict.fromkeys(skus, 100)
    known = views([], together, orders)
    asked: dict[str, Any] = {"suggestion_id": "s", "basket_id": "b", "channel": "pos", "currency": "EUR"}
    large = Basket(lines=[BasketLine(sku, 1, 0) for sku in skus[:2000]], max_offers=50, **asked)

    decision, small = decide_batch([large, basket_of(skus[0])], known, Policy(), NOW_MS)

    assert len(decision.offers) == 50
    assert not {offer.sku for offer in decision.offers} & set(skus[:2000])
    best = Counter[str]()
    for (_, b), count in together.items():
        if b >= skus[2000]:
            best[b] += count
    assert {offer.sku for offer in decision.offers} <= {sku for sku, _ in best.most_common(200)}
    assert encoded([small]) == encoded([decide(basket_of(skus[0]), known)])


@settings(deadline=None)
@given(st.lists(st.integers(0, 9) | st.sampled_from([700, 2_500]), max_size=40), st.sampled_from([1, 20, 60]))
def test_chunks_hold_every_basket_once_and_fit(sizes: list[int], times: int) -> None:
    one = consider(basket_of("a"), views(), Policy(), NOW_MS)
    of_size = {size: msgspec.structs.replace(one, refs=[0] * size) for size in sizes}
    considered = [of_size[size] for size in sizes] * times

    chunks = list(in_chunks(considered))

    assert sorted(at for chunk in chunks for at in chunk) == list(range(len(considered)))
    for chunk in chunks:
        rows = [len(considered[at].refs) for at in chunk]
        assert len(chunk) == 1 or (sum(rows) <= ROWS_AT_ONCE and len(rows) * max(rows) <= 2 * ROWS_AT_ONCE)
    # Two that follow each other would not fit into one.
    for before, after in pairwise(chunks):
        rows = [len(considered[at].refs) for at in (*before, after[0])]
        assert sum(rows) > ROWS_AT_ONCE or len(rows) * max(rows) > 2 * ROWS_AT_ONCE
