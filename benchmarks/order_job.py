"""The whole order job: decode, claims, fence, counts, panes; into empty tables each round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct
from redis.asyncio import Redis

from benchmarks.backlog import check_filled, fill, seconds_until_committed, topic_ends
from benchmarks.drain import Drained, drained
from benchmarks.plan import PARTITIONS
from benchmarks.worker import expect, worker
from stream import topics
from stream.codec import encode
from stream.embedded.broker import Broker
from stream.embedded.redis import RedisServer
from stream.history.datasets import History
from stream.history.events import order_event
from stream.publisher import Outgoing
from stream.settings import load_settings
from stream.tables.fences import source_of
from stream.tables.keys import Keys
from stream.tables.order_record import MAX_COUNTED

DATABASE = 1
"""Emptied before each round; the tables of the basket job are elsewhere."""

TAGS_LOOKED_AT = range(0, 64, 8)
"""Nearly every batch has something for one of these, and its fence moves with it."""


class OrderRound(Struct, frozen=True):
    """One drain. Pairs are directed: as orders make them, and as they were written once coalesced."""

    drained: Drained
    committed_s: float | None
    pairs_an_order: float
    written_an_order: float

    @property
    def pairs_per_s(self) -> float:
        """Directed pair updates a second, before coalescing."""
        return self.drained.per_s * self.pairs_an_order

    @property
    def written_per_s(self) -> float:
        """Directed pair updates a second that reached Redis."""
        return self.drained.per_s * self.written_an_order


@dataclass(frozen=True, slots=True)
class OrderLog:
    """A log of orders that every round counts from the beginning."""

    broker: Broker
    redis: RedisServer
    folder: Path
    name: str
    prefix: str
    """Of the topics and the groups."""
    orders: Sequence[Outgoing]
    pairs: int

    @property
    def topic(self) -> str:
        """Where the orders are."""
        return self.prefix + topics.ORDER_PLACED

    async def open(self) -> None:
        """Make the topics and publish the orders."""
        await topics.create_topics(
            self.broker.bootstrap, partitions=PARTITIONS, prefix=self.prefix, keep_for_ever=True
        )
        await fill(self.broker.bootstrap, self.topic, self.orders)
        ends = await topic_ends(self.broker.bootstrap, self.topic)
        check_filled(ends, len(self.orders), self.topic)

    async def round(self, number: int) -> OrderRound:
        """Empty the tables, start a worker of a new group, and watch it drain."""
        settings = load_settings(
            broker=self.broker.bootstrap,
            redis_url=f"{self.redis.url.rsplit('/', 1)[0]}/{DATABASE}",
            group=f"{self.prefix}{number}",
            namespace=self.name,
            topic_prefix=self.prefix,
        )
        ends = await topic_ends(self.broker.bootstrap, self.topic)
        tables = Redis.from_url(settings.redis_url)
        try:
            await tables.flushdb()
            async with worker(self.name, settings, self.broker, self.redis, self.folder) as running:
                samples = await running.samples(lambda: self._applied(tables), len(self.orders))
                committed_s = await seconds_until_committed(self.broker.bootstrap, settings.group, ends)
                tally = await running.stop()
        finally:
            await tables.aclose()
        expect(tally, "orders.counted", len(self.orders))
        return OrderRound(
            drained=drained(samples, len(self.orders)),
            committed_s=committed_s,
            pairs_an_order=self.pairs / len(self.orders),
            written_an_order=tally["pairs"] / len(self.orders),
        )

    async def _applied(self, tables: Redis) -> int:
        """Orders applied, by the furthest fence of each partition: batches are applied in all tags at once."""
        sources = [source_of(self.topic, partition) for partition in range(PARTITIONS)]
        pipe = tables.pipeline(transaction=False)
        for tag in TAGS_LOOKED_AT:
            pipe.hmget(Keys(self.name).fences(tag), sources)
        stands = [[int(raw.split(b":")[0]) + 1 if raw else 0 for raw in row] for row in await pipe.execute()]
        return sum(map(max, zip(*stands, strict=True)))


def pairs_of(distinct_skus: int) -> int:
    """Directed pairs an order makes.

    >>> pairs_of(5), pairs_of(80)
    (20, 2450)
    """
    counted = min(distinct_skus, MAX_COUNTED)
    return counted * (counted - 1)


def first_orders(history: History, most_pairs: int) -> tuple[list[Outgoing], int]:
    """Orders of a real history until they make `most_pairs`, and the pairs they make."""
    messages, pairs = [], 0
    for message, made in _messages(history):
        messages.append(message)
        pairs += made
        if pairs >= most_pairs:
            break
    return messages, pairs


def _messages(history: History) -> Iterator[tuple[Outgoing, int]]:
    for order in history.orders():
        event = order_event(order, history.currency)
        skus = {line.sku for line in event.lines}
        yield Outgoing(event.order_id.encode(), encode(event)), pairs_of(len(skus))
