"""The whole basket job: decode, read, decide, publish; from tables that hold a shop's orders and catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from benchmarks.backlog import end_offsets, fill, reader, seconds_until_committed, topic_ends
from benchmarks.drain import Drained, drained
from benchmarks.plan import PARTITIONS, Plan
from benchmarks.shop import Shop
from benchmarks.worker import expect, worker
from stream import topics
from stream.embedded.broker import Broker
from stream.embedded.redis import RedisServer
from stream.publisher import Outgoing
from stream.settings import Settings, load_settings


class BasketRound(Struct, frozen=True):
    """One drain; `committed_s` is None when the commits never reached the end of the log."""

    drained: Drained
    committed_s: float | None
    first_answer_s: float
    """From the start of the worker's process to the first suggestion in the topic."""
    offers: float
    """A basket, on average."""


@dataclass(frozen=True, slots=True)
class Shopfront:
    """Topics, tables and a backlog of baskets, all under one prefix."""

    broker: Broker
    redis: RedisServer
    folder: Path
    settings: Settings
    baskets: Sequence[Outgoing]

    def topic(self, name: str) -> str:
        """The topic's name on this Kafka."""
        return self.settings.topic_prefix + name

    async def open(self, shop: Shop, plan: Plan) -> None:
        """Make the topics, publish catalogue and orders, and let a worker count them."""
        await topics.create_topics(
            self.broker.bootstrap, partitions=PARTITIONS, prefix=self.settings.topic_prefix
        )
        await fill(self.broker.bootstrap, self.topic(topics.PRODUCT_UPDATED), shop.products())
        await fill(self.broker.bootstrap, self.topic(topics.ORDER_PLACED), shop.orders(plan.known_orders))
        async with worker("fill", self.settings, self.broker, self.redis, self.folder) as filling:
            for name in (topics.PRODUCT_UPDATED, topics.ORDER_PLACED):
                ends = await topic_ends(self.broker.bootstrap, self.topic(name))
                await seconds_until_committed(
                    self.broker.bootstrap, self.settings.group, ends, timeout_s=120.0
                )
            expect(await filling.stop(), "orders.counted", plan.known_orders)

    async def round(self) -> BasketRound:
        """Add the backlog, start a worker, and watch it drain."""
        await fill(self.broker.bootstrap, self.topic(topics.BASKET_UPDATED), self.baskets)
        ends = await topic_ends(self.broker.bootstrap, self.topic(topics.BASKET_UPDATED))
        async with reader(self.broker.bootstrap, self.topic(topics.SUGGESTIONS)) as suggestions:
            before = sum((await end_offsets(suggestions)).values())

            async def answered() -> int:
                return sum((await end_offsets(suggestions)).values()) - before

            async with worker("baskets", self.settings, self.broker, self.redis, self.folder) as running:
                samples = await running.samples(answered, len(self.baskets))
                committed_s = await seconds_until_committed(self.broker.bootstrap, self.settings.group, ends)
                tally = await running.stop()
        expect(tally, "suggestions", len(self.baskets))
        return BasketRound(
            drained=drained(samples, len(self.baskets)),
            committed_s=committed_s,
            first_answer_s=next(sample for sample in samples if sample.done).at_s - running.started_s,
            offers=tally.get("offers", 0) / len(self.baskets),
        )


def shopfront(
    broker: Broker, redis: RedisServer, folder: Path, prefix: str, shop: Shop, plan: Plan
) -> Shopfront:
    """The shop of a run; `open` it before its first round."""
    settings = load_settings(
        broker=broker.bootstrap,
        redis_url=redis.url,
        group=f"{prefix}shop",
        namespace="shop",
        topic_prefix=prefix,
    )
    return Shopfront(broker, redis, folder, settings, shop.baskets(plan.baskets))
