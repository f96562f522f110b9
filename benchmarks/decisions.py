"""Speed of the decision core on seeded synthetic data: microseconds a basket, by batch size.

    python -m benchmarks.decisions [--skus N] [--baskets N] [--seed N] [--no-ladders] [--stages]

A raw msgspec decode of the same baskets runs beside it as the measure of the machine. The data: 50 weighted partners a
SKU, baskets of 4 lines, popular products in more of both, all products in the catalogue, 5 offers with reasons; one
product in ten stands in a range of four rungs. Encoding is not part of the figures. One JSON line on stdout.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.arrange import arrange
from stream.decisions.assortment import Assortment
from stream.decisions.candidates import consider_all
from stream.decisions.decide import SPARE, decide_batch, seen_policies
from stream.decisions.evidence import evidence
from stream.decisions.explain import why_cross_sells
from stream.decisions.finish import cross_sells, finish
from stream.decisions.ladder import build_ladder
from stream.decisions.ladders import Ladders
from stream.decisions.lines import Lines, line_view
from stream.decisions.model import Basket, Decision, Product
from stream.decisions.neighbours import NeighbourRow, neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranking
from stream.decisions.scoring import in_chunks, score
from stream.decisions.settled import settle
from stream.decisions.substitutes import judged
from stream.decisions.views import Views
from stream.events import BasketUpdated, Line
from stream.ops.memory import work_in_batches

NOW_MS = 1_770_000_000_000
TOTAL = 10**9
PARTNERS, LINES, BATCHES, ROUNDS = 50, 4, (1, 10, 100, 500), 7


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


def rows(
    wanted: Sequence[int], orders: npt.NDArray[np.int64], rng: np.random.Generator, policy: Policy
) -> dict[int, NeighbourRow]:
    """Rows of the wanted SKUs; `orders` are those of all."""
    count = len(orders)
    made: dict[int, NeighbourRow] = {}
    for start in range(0, len(wanted), 500):
        items = np.array(wanted[start : start + 500])
        partners = picks(rng, len(items), PARTNERS, count).astype(np.int32)
        counts = -np.sort(-rng.integers(3, 90, (len(items), PARTNERS)), axis=1)
        bounds = np.arange(0, partners.size + 1, PARTNERS)
        flat = partners.ravel()
        row = neighbour_rows(items, orders[items], bounds, flat, counts.ravel(), orders[flat], TOTAL, policy)
        made.update(zip(items.tolist(), row, strict=True))
    return made


def picks(rng: np.random.Generator, rows: int, width: int, count: int) -> npt.NDArray[np.int64]:
    """Distinct SKUs in each row, by the power law of the other synthetic shop. Neighbours in popularity are
    none in memory."""
    popularity = 1.0 / (np.arange(count) + 10.0) ** 0.9
    steps = np.cumsum(popularity) / popularity.sum()
    places = np.minimum(np.searchsorted(steps, rng.random((rows, width))), count - 1)
    while len(again := np.flatnonzero((np.diff(np.sort(places), axis=1) == 0).any(axis=1))):
        ordered = np.sort(places[again])
        repeated = np.flatnonzero(np.diff(ordered, axis=1, prepend=-1) == 0)
        ordered.reshape(-1)[repeated] = rng.integers(0, count, len(repeated))
        places[again] = ordered
    return places.astype(np.int64) * 7_919 % count


def events(skus: Sequence[str], count: int, rng: np.random.Generator) -> list[bytes]:
    chosen = picks(rng, count, LINES, len(skus)).tolist()
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
        for n, (of, paid) in enumerate(zip(chosen, prices, strict=True))
    ]


def basket(event: BasketUpdated) -> Basket:
    return Basket(
        suggestion_id=event.event_id,
        basket_id=event.basket_id,
        channel=event.channel,
        currency=event.currency,
        lines=event.lines,
    )


def best_of(run: Callable[[int], object], batches: int, size: int) -> float:
    """Microseconds a basket, each batch at its quickest: the other rounds measure the machine's neighbours."""
    quickest = [float("inf")] * batches
    for _ in range(ROUNDS):
        for number in range(batches):
            began = time.perf_counter()
            run(number)
            quickest[number] = min(quickest[number], time.perf_counter() - began)
    return sum(quickest) / (batches * size) * 1e6


def numbered(views: Views, batch: Sequence[Basket]) -> Views:
    """The views of one batch: whoever read them has numbered the SKUs of its lines."""
    skus = list({line.sku for one in batch for line in one.lines})
    items = np.array([views.items[sku] for sku in skus])
    return msgspec.structs.replace(views, items=dict(zip(skus, items.tolist(), strict=True)))


def stages(baskets: Sequence[Basket], shop_views: Views, policy: Policy) -> dict[str, float]:
    """Microseconds a basket in each stage, in batches of 500."""
    spent: dict[str, float] = {}

    def timed(name: str, began: float, result: Any) -> Any:
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
        return result

    now = time.perf_counter
    for start in range(0, len(baskets), 500):
        batch = baskets[start : start + 500]
        seen = seen_policies(batch, policy)
        views = numbered(shop_views, batch)
        considered = timed("consider", now(), consider_all(batch, views, seen, NOW_MS))
        for chunk in in_chunks(considered):
            scored = timed("score", now(), score([considered[at] for at in chunk], views.lines))
            ranking = timed("order", now(), Ranking(scored, views, policy.max_offers + SPARE))
            settled, picks = timed("settle", now(), settle([considered[at] for at in chunk], ranking, views))
            walked = [place for place in range(len(chunk)) if place not in settled]
            arranged = timed(
                "arrange",
                now(),
                [arrange(considered[chunk[place]], place, ranking, views) for place in walked],
            )
            picks = picks.followed_by([picked for _, picked in arranged])
            found = timed("evidence", now(), evidence(scored, picks.candidates))
            reasons = timed("explain", now(), why_cross_sells(found, scored, views))
            of = [considered[chunk[place]] for place in (*settled, *walked)]
            offers = iter(timed("offer", now(), cross_sells(of, picks, reasons, views)))
            timed(
                "finish",
                now(),
                [Decision(added, told) for told, added in zip(settled.values(), offers, strict=False)],
            )
            timed(
                "finish",
                now(),
                [finish(draft, added, views) for (draft, _), added in zip(arranged, offers, strict=True)],
            )
    return {name: seconds / len(baskets) * 1e6 for name, seconds in spent.items()}


class Cost(Struct, frozen=True):
    """Microseconds a basket: of a raw decode, and of a decision by batch size."""

    skus: int
    offers_a_basket: float
    decode_us: float
    decide_us: dict[int, float]
    stages_us: dict[str, float] = {}


def shop(skus_count: int, baskets_count: int, seed: int, ladders: bool) -> tuple[Views, list[bytes]]:
    """Views in which every line of the baskets is known, and the baskets."""
    rng, policy = np.random.default_rng(seed), Policy()
    skus = [f"SKU-{n:07d}" for n in range(skus_count)]
    catalogue = products(skus, rng, ladders)
    by_range: dict[str, list[Product]] = {}
    assortment = Assortment()
    for product in catalogue:
        assortment.add(product.sku, product)
        if product.range_id is not None:
            by_range.setdefault(product.range_id, []).append(product)
    raw = events(skus, baskets_count, rng)
    decode = msgspec.json.Decoder(BasketUpdated).decode
    number = {sku: n for n, sku in enumerate(skus)}
    ranged = [product for of in by_range.values() for product in of]
    held = {line.sku for one in raw for line in decode(one).lines} | {product.sku for product in ranged}
    wanted = sorted(number[sku] for sku in held)
    orders = np.maximum(200, (200_000 / (1 + np.arange(skus_count)) ** 0.5).astype(np.int64))
    learned = rows(wanted, orders, rng, policy)
    views = Views(
        items=number,
        lines=Lines(
            {
                skus[n]: line_view(
                    *(n, learned[n], None, catalogue[n]),
                    judged=judged(
                        *(n, learned[n].orders, np.array(learned[n].candidates())),
                        *(np.array(learned[n].counts()), assortment, orders, TOTAL),
                    ),
                )
                for n in wanted
            },
            Ladders({name: build_ladder(of, policy) for name, of in by_range.items()}),
        ),
        assortment=assortment,
    )
    return views, raw


def measure(
    skus_count: int, baskets_count: int, seed: int, *, ladders: bool = True, with_stages: bool = False
) -> Cost:
    """Make the shop and time it."""
    views, raw = shop(skus_count, baskets_count, seed, ladders)
    decode = msgspec.json.Decoder(BasketUpdated).decode
    baskets = [basket(decode(one)) for one in raw]
    work_in_batches()
    gc.freeze()  # as a worker does with its caches
    decisions = decide_batch(baskets, views, views.policy, NOW_MS)

    def decided(size: int) -> float:
        batches = [baskets[n * size : (n + 1) * size] for n in range(min(baskets_count // size, 20))]
        known = [numbered(views, batch) for batch in batches]
        return best_of(lambda n: decide_batch(batches[n], known[n], views.policy, NOW_MS), len(batches), size)

    return Cost(
        skus=skus_count,
        offers_a_basket=sum(len(d.offers) for d in decisions) / baskets_count,
        decode_us=best_of(
            lambda n: deque(map(decode, raw[n * 500 : (n + 1) * 500]), maxlen=0), baskets_count // 500, 500
        ),
        decide_us={size: decided(size) for size in BATCHES},
        stages_us=stages(baskets, views, views.policy) if with_stages else {},
    )


def main() -> None:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--skus", type=int, default=100_000)
    parser.add_argument("--baskets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-ladders", action="store_true", help="no product stands in a range")
    parser.add_argument("--stages", action="store_true", help="what each stage of a decision costs as well")
    given = parser.parse_args()
    cost = measure(
        given.skus, given.baskets, given.seed, ladders=not given.no_ladders, with_stages=given.stages
    )
    print(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    main()
