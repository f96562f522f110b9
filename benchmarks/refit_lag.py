"""How long SKUs wait for a refit while orders are counted as fast as one process can: `python -m benchmarks.refit_lag`.

One process counts orders without a pause, answers baskets at a constant rate and fits, as a worker does, on a Redis of
its own; Kafka is left out. Lags are from the moment a reader found that a SKU's orders outgrew its fit to when the new
fit was there. The shop is warm: its first fits are made before the clock runs, and timed apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.shop import Shop
from stream.codec import decode
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.embedded import embedded_redis
from stream.events import Line, OrderPlaced
from stream.ops.tally import Tally
from stream.services.neighbour_fitter import NeighbourFitter
from stream.settings import load_settings
from stream.tables.fences import Owner
from stream.tables.ids import sku_id
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader

ORDERS_AT_ONCE = 500
BASKETS_AT_ONCE = 50
MOST_A_SECOND = 15_000
"""Orders that are made for each second: more than one process counts."""


class Lags(Tally):
    """The fitter's counts of lags; what waits is not of interest here."""

    def shares(self) -> dict[str, float]:
        """The share of fits by how long they took."""
        fits = {
            name: n for name, n in self.counts.items() if name.startswith("fits.") and "waiting" not in name
        }
        return {name: round(n / max(1, sum(fits.values())), 4) for name, n in sorted(fits.items())}


async def count(tables: Tables, owner: Owner, orders: Sequence[OrderPlaced], start: int) -> None:
    """Count these orders, which begin at an offset."""
    for at in range(0, len(orders), ORDERS_AT_ONCE):
        some = orders[at : at + ORDERS_AT_ONCE]
        await tables.orders.place(owner, list(enumerate(some, start + at)))


async def ask(views: ViewReader, shop: Shop, per_s: float) -> None:
    """Read what baskets are answered from, so many a second."""
    picks = shop.selections(20_000, 4, seed=9)
    for at in range(0, len(picks), BASKETS_AT_ONCE):
        baskets = [
            Basket(
                suggestion_id="",
                basket_id="",
                channel="web",
                currency="EUR",
                lines=[Line(shop.names[item], 1, 0) for item in items],
            )
            for items in picks[at : at + BASKETS_AT_ONCE].tolist()
        ]
        await views.read(baskets, time.monotonic())
        await asyncio.sleep(BASKETS_AT_ONCE / per_s)


async def measure(skus: int, known: int, seconds: float, per_s: float) -> dict[str, object]:
    """The figures of one run: a shop of so many SKUs and orders, then so many seconds of orders at full speed."""
    shop = Shop(skus, 1_000, 1, datetime.now(UTC))
    orders = [
        decode(OrderPlaced, message.value or b"")
        for message in shop.orders(known + round(seconds * MOST_A_SECOND))
    ]
    async with embedded_redis() as server:
        tables = Tables.on_redis(load_settings({}, redis_url=server.url))
        await tables.open()
        await tables.dictionary.remember(set(shop.names))
        owner, views = (
            await tables.fences.take("order-placed", 0),
            ViewReader(tables, Policy(), max_age_s=1.0),
        )
        await count(tables, owner, orders[:known], 0)
        lags, pending = Lags(), [{sku_id(name) for name in shop.names}]
        fitter = NeighbourFitter(tables, lambda: pending.pop() if pending else views.noted(), lags, "me")
        start_s = time.monotonic()
        while await fitter.turn(_now_ms):
            pass
        first_s = time.monotonic() - start_s
        lags.counts.clear()
        beside = [asyncio.create_task(fitter.run(_now_ms)), asyncio.create_task(ask(views, shop, per_s))]
        counted, start_s = known, time.monotonic()
        while time.monotonic() - start_s < seconds and counted < len(orders):
            await count(tables, owner, orders[counted : counted + ORDERS_AT_ONCE], counted)
            counted += ORDERS_AT_ONCE
        elapsed = time.monotonic() - start_s
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await tables.close()
    fits = sum(n for name, n in lags.counts.items() if name != "fits.waiting")
    return {
        "skus": skus,
        "orders_known": known,
        "first_fits_s": round(first_s, 2),
        "orders_per_s": round((counted - known) / elapsed),
        "fits_per_s": round(fits / elapsed),
        "waiting_at_the_end": lags.counts["fits.waiting"],
        "lags": lags.shares(),
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=1_000)
    parser.add_argument("--known", type=int, default=50_000, help="orders before the clock runs")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--baskets", type=float, default=500.0, help="baskets asked a second")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.skus, given.known, given.seconds, given.baskets))))
