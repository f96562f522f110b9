"""Speed of the decision core on seeded synthetic data: microseconds a basket, by batch size.

    python benchmarks/decisions.py [--json PATH] [--skus N] [--baskets N] [--seed N] [--no-ladders]

A raw msgspec decode of the same baskets runs beside it as the measure of the machine. The data: 100,000
SKUs, 50 weighted partners each, baskets of 4 lines, all products in the catalogue, 5 offers with reasons;
one product in ten stands in a range of four rungs. Encoding is not part of the figures.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stream.decisions.arrange import arrange, finish
from stream.decisions.assortment import Assortment
from stream.decisions.candidates import consider
from stream.decisions.decide import SPARE, decide_batch
from stream.decisions.evidence import evidence
from stream.decisions.explain import why_cross_sells
from stream.decisions.ladder import build_ladder
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import NeighbourRow, neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.scoring import Ranking, in_chunks, score
from stream.decisions.views import Views, line_view
from stream.events import BasketUpdated, Line

NOW_MS = 1_770_000_000_000
PARTNERS, LINES, BATCHES, ROUNDS = 50, 4, (1, 10, 100, 500), 5


def products(skus: Sequence[str], rng: np.random.Generator, ladders: bool) -> list[Product]:
    prices = rng.integers(100, 100_000, len(skus)).tolist()
    return [
        Product(
            sku=sku,
            title=f"Product number {n}",
            category=("shop", f"aisle {n % 500}"),
            price=price if n % 40 >= 4 else 1000 * (n % 4 + 3),
            currency="EUR",
            range_id=f"range {n // 40}" if ladders and n % 40 < 4 else None,
            rung=n % 40,
            features={f"feature {f}": n % 40 >= f for f in range(4)} if n % 40 < 4 else {},
            in_stock=n % 50 != 7,
        )
        for n, (sku, price) in enumerate(zip(skus, prices, strict=True))
    ]


def rows(count: int, rng: np.random.Generator, policy: Policy) -> tuple[list[NeighbourRow], float]:
    """Rows of all SKUs, and the microseconds one took to make in reads of 500 lists."""
    orders = np.maximum(200, (200_000 / (1 + np.arange(count)) ** 0.5).astype(np.int64))
    made: list[NeighbourRow] = []
    spent = 0.0
    for start in range(0, count, 500):
        own = orders[start : start + 500]
        partners = rng.integers(0, count, (len(own), PARTNERS)).astype(np.int32)
        counts = -np.sort(-rng.integers(3, 90, (len(own), PARTNERS)), axis=1)
        bounds = np.arange(0, partners.size + 1, PARTNERS)
        began = time.process_time()
        made += neighbour_rows(
            np.arange(start, start + len(own)),
            own,
            bounds,
            partners.ravel(),
            counts.ravel(),
            orders[partners.ravel()],
            10**9,
            policy,
        )
        spent += time.process_time() - began
    return made, spent / count * 1e6


def events(skus: Sequence[str], count: int, rng: np.random.Generator) -> list[bytes]:
    picks = (rng.random((count, LINES)) ** 2 * len(skus)).astype(int).tolist()
    prices = rng.integers(100, 50_000, (count, LINES)).tolist()
    return [
        msgspec.json.encode(
            {
                "event_id": f"event-{n}",
                "occurred_at": "2026-02-02T02:40:00Z",
                "channel": "web",
                "basket_id": f"basket-{n}",
                "currency": "EUR",
                "lines": [Line(skus[p], 1, price) for p, price in zip(of, paid, strict=True)],
            }
        )
        for n, (of, paid) in enumerate(zip(picks, prices, strict=True))
    ]


def basket(event: BasketUpdated) -> Basket:
    return Basket(
        suggestion_id=event.event_id,
        basket_id=event.basket_id,
        channel=event.channel,
        currency=event.currency,
        lines=event.lines,
    )


def best_of(run: Callable[[], object], baskets: int) -> float:
    """Microseconds a basket of the quickest round: the others measure the neighbours on the machine."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        spent.append(time.process_time() - began)
    return min(spent) / baskets * 1e6


def in_batches(baskets: Sequence[Basket], size: int, views: Views, policy: Policy) -> Callable[[], None]:
    def run() -> None:
        for start in range(0, len(baskets), size):
            decide_batch(baskets[start : start + size], views, policy, NOW_MS)

    return run


def stages(baskets: Sequence[Basket], views: Views, policy: Policy) -> dict[str, float]:
    """Microseconds a basket in each stage, in batches of 500."""
    spent: dict[str, float] = {}

    def timed(name: str, began: float, result: Any) -> Any:
        spent[name] = spent.get(name, 0.0) + time.process_time() - began
        return result

    now = time.process_time
    for start in range(0, len(baskets), 500):
        batch = baskets[start : start + 500]
        considered = timed("consider", now(), [consider(one, views, policy, NOW_MS) for one in batch])
        for chunk in in_chunks(considered):
            scored = timed("score", now(), score([considered[at].rows for at in chunk]))
            ranking = timed("order", now(), Ranking(scored, views, policy.max_offers + SPARE))
            drafts = timed(
                "arrange",
                now(),
                [arrange(considered[at], ranking.walk(place), views) for place, at in enumerate(chunk)],
            )
            picked = [entry[1] for draft in drafts for entry in draft.picked]
            found = timed("evidence", now(), evidence(scored, picked))
            reasons = iter(timed("explain", now(), why_cross_sells(found, scored.rows, views)))
            timed("finish", now(), [finish(draft, reasons, views) for draft in drafts])
    return {name: seconds / len(baskets) * 1e6 for name, seconds in spent.items()}


def measure(skus_count: int, baskets_count: int, seed: int, ladders: bool) -> dict[str, object]:
    rng, policy = np.random.default_rng(seed), Policy()
    skus = [f"SKU-{n:07d}" for n in range(skus_count)]
    catalogue = products(skus, rng, ladders)
    learned, row_us = rows(skus_count, rng, policy)
    by_range: dict[str, list[Product]] = {}
    for product in catalogue:
        if product.range_id is not None:
            by_range.setdefault(product.range_id, []).append(product)
    assortment = Assortment()
    for product in catalogue:
        assortment.add(product)
    views = Views(
        lines={
            sku: line_view(n, row, None, product)
            for n, (sku, row, product) in enumerate(zip(skus, learned, catalogue, strict=True))
        },
        skus=skus,
        assortment=assortment,
        ladders={name: build_ladder(of, policy) for name, of in by_range.items()},
    )
    raw = events(skus, baskets_count, rng)
    decode = msgspec.json.Decoder(BasketUpdated).decode
    baskets = [basket(decode(one)) for one in raw]
    gc.freeze()  # as a worker does with its caches
    decisions = decide_batch(baskets, views, policy, NOW_MS)
    return {
        "skus": skus_count,
        "ladders": ladders,
        "baskets": baskets_count,
        "offers_a_basket": sum(len(d.offers) for d in decisions) / baskets_count,
        "upsells_a_basket": sum(d.offers[0].kind == "upsell" for d in decisions if d.offers) / baskets_count,
        "msgspec_decode_us": best_of(lambda: deque(map(decode, raw), maxlen=0), baskets_count),
        "decide_us": {
            str(size): best_of(
                in_batches(baskets[: size * 40], size, views, policy), len(baskets[: size * 40])
            )
            for size in BATCHES
        },
        "stage_us_at_500": stages(baskets, views, policy),
        "make_row_us": row_us,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--skus", type=int, default=100_000)
    parser.add_argument("--baskets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-ladders", action="store_true", help="no product stands in a range")
    given = parser.parse_args()
    result = measure(given.skus, given.baskets, given.seed, not given.no_ladders)
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
