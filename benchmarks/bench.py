"""A run from the first topic to the last answer: what was asked for, and what that needs beforehand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from secrets import token_hex
from statistics import median

from benchmarks.backlog import delete_topics
from benchmarks.basket_job import Shopfront, shopfront
from benchmarks.latency import LatencyRun, latency_at
from benchmarks.marks import Rates
from benchmarks.order_job import OrderLog, first_orders, pairs_of
from benchmarks.plan import Plan
from benchmarks.rounds import (
    LONG,
    SHORT,
    Contest,
    Rate,
    Stage,
    basket_contest,
    decision_contest,
    order_contest,
    take_turns,
)
from benchmarks.shop import LINES_OF_AN_ORDER, Shop, shop_of_today
from stream.embedded.choice import chosen_broker
from stream.embedded.redis import embedded_redis
from stream.embedded.scratch import scratch_folder
from stream.history.datasets import load_history
from stream.publisher import Outgoing

RAW_AND_STOCK = ("raw-getmany", "transport", "faust-for", "faust-take", "raw-batch-echo", "raw-record-echo")
DECISIONS = {"decisions-small": 1_000, "decisions-large": 1_000_000}
"""The decision core over catalogues of so many SKUs."""
NAMES = (*RAW_AND_STOCK, *DECISIONS, "basket-job", "order-job", "real-orders", "redis-zincrby", "latency")

REDIS_OPTIONS = {
    # Everything is logged and synced once a second; but rewriting that log would take a core for seconds, in
    # whichever contestant's turn it falls.
    "auto-aof-rewrite-percentage": "0"
}


@asynccontextmanager
async def staged(broker: str, plan: Plan) -> AsyncIterator[Stage]:
    """Kafka and Redis for the time of the body."""
    async with AsyncExitStack() as services:
        folder = services.enter_context(scratch_folder("bench"))
        kafka = await services.enter_async_context(chosen_broker(broker))
        redis = await services.enter_async_context(embedded_redis(options=REDIS_OPTIONS))
        prefix = f"bench-{token_hex(3)}."
        yield Stage(kafka, redis, folder, prefix, plan)
        if kafka.kind == "given":
            await delete_topics(kafka.bootstrap, prefix)


class Bench:
    """What was asked for, on one stage."""

    def __init__(
        self, stage: Stage, wanted: set[str], history: str | None, progress: Callable[[str], None]
    ) -> None:
        self._stage, self._wanted, self._history, self._progress = stage, wanted, history, progress

    @cached_property
    def _shop(self) -> Shop:
        return shop_of_today(self._stage.plan.skus, self._stage.plan.customers)

    @cached_property
    def _front(self) -> Shopfront:
        stage = self._stage
        prefix = f"{stage.prefix}shop."
        return shopfront(stage.broker, stage.redis, stage.folder, prefix, self._shop, stage.plan)

    async def rates(self) -> dict[str, list[Rate]]:
        """Fill what has to be filled, then let everybody take turns."""
        contests = await self._raw_and_stock()
        for name, skus in DECISIONS.items():
            if name in self._wanted:
                contests[name] = decision_contest(skus, self._stage.folder)
        if self._wanted & {"basket-job", "latency"}:
            self._progress("counting the orders and products that baskets are answered from")
            await self._front.open(self._shop, self._stage.plan)
        if "basket-job" in self._wanted:
            contests["basket-job"] = basket_contest(self._front)
        if "redis-zincrby" in self._wanted:
            contests["redis-zincrby"] = self._stage.redis_rate
        for log in self._order_logs():
            self._progress(f"publishing {len(log.orders)} orders: {log.name}")
            await log.open()
            contests[log.name] = order_contest(log)
        return await take_turns(contests, self._stage.plan.rounds, self._progress)

    async def latencies(self, rates: Rates) -> list[LatencyRun]:
        """At the stated rate, and at half of what the basket job was measured to do."""
        if "latency" not in self._wanted:
            return []
        plan = self._stage.plan
        loads = [plan.load_per_s]
        if rates.get("basket-job"):
            loads.append(median(rate.per_s for rate in rates["basket-job"]) / 2)
        runs = []
        for per_s in loads:
            self._progress(f"latency at {per_s:,.0f} baskets a second")
            runs.append(await latency_at(self._front, per_s, plan))
        return runs

    async def _raw_and_stock(self) -> dict[str, Contest]:
        stage, plan = self._stage, self._stage.plan
        if not self._wanted & set(RAW_AND_STOCK):
            return {}
        self._progress(f"publishing {plan.consumed} baskets")
        await stage.fill_topics(self._shop.baskets(min(50_000, plan.consumed)))
        contests = {
            "raw-getmany": stage.alone("raw_kafka", "consume", LONG, plan.consumed),
            "transport": stage.alone("batch_transport", "finish", LONG, plan.consumed),
            "faust-for": stage.alone("stock_faust", "each", SHORT, plan.stock),
            "faust-take": stage.alone("stock_faust", "take", SHORT, plan.stock),
            "raw-batch-echo": stage.alone("raw_kafka", "echo", LONG, plan.echoed),
            "raw-record-echo": stage.alone("raw_kafka", "echo_each", LONG, plan.echoed_each),
        }
        await contests["raw-getmany"](0)  # Kafka's own warm-up; its rate is thrown away
        return {name: contest for name, contest in contests.items() if name in self._wanted}

    def _order_logs(self) -> list[OrderLog]:
        stage, plan = self._stage, self._stage.plan

        def log(name: str, orders: list[Outgoing], pairs: int) -> OrderLog:
            prefix = f"{stage.prefix}{name}."
            return OrderLog(stage.broker, stage.redis, stage.folder, name, prefix, orders, pairs)

        logs = []
        if "order-job" in self._wanted:
            pairs = plan.orders * pairs_of(LINES_OF_AN_ORDER)
            logs.append(log("order-job", self._shop.orders(plan.orders), pairs))
        if "real-orders" in self._wanted and self._history is not None:
            logs.append(log("real-orders", *first_orders(load_history(self._history), plan.real_pairs)))
        return logs
