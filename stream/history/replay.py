"""Replay: a history sent to a broker as its shop would have sent it, at a stated rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple, Protocol

from stream import topics
from stream.codec import encode
from stream.events import Limits
from stream.history.catalogue import CatalogItem
from stream.history.events import basket_events, order_event, product_event
from stream.history.orders import Order
from stream.publisher import Outgoing

CHUNK_EVENTS = 500
"""Most events of one publish."""

CHUNK_BYTES = 4 << 20
"""Most bytes of one publish, apart from a single larger event."""


class Publishes(Protocol):
    """The part of a publisher that a replay needs."""

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Send all messages and return when all are acknowledged."""


class Sent(NamedTuple):
    """What a replay has sent so far, and how long it took."""

    products: int
    baskets: int
    orders: int
    seconds: float

    @property
    def events(self) -> int:
        """Events of all kinds."""
        return self.products + self.baskets + self.orders


class TopicMessage(NamedTuple):
    """A message for a topic, and when what it says happened."""

    topic: str
    outgoing: Outgoing
    at: datetime


async def replay(
    orders: Iterable[Order],
    catalogue: Iterable[CatalogItem],
    publisher: Publishes,
    *,
    currency: str,
    rate: float | None = None,
    baskets: bool = True,
    limits: Limits | None = None,
    topic_prefix: str = "",
    on_progress: Callable[[Sent], None] = lambda sent: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sent:
    """Send the catalogue, then every order: its baskets line by line (unless `baskets` is off), then itself.

    `rate` is events a second in an open loop: what is due is sent, whether or not anyone keeps up; None is as
    fast as the broker takes it. Ids are those of every replay of the same history, so a second replay
    counts nothing twice. Raises what the publisher raises, and OperatorError for an order no event can hold.
    """
    start = clock()
    counts = {topics.PRODUCT_UPDATED: 0, topics.BASKET_UPDATED: 0, topics.ORDER_PLACED: 0}

    def sent() -> Sent:
        products, baskets_sent, orders_sent = counts.values()
        return Sent(products, baskets_sent, orders_sent, clock() - start)

    messages = topic_messages(orders, catalogue, currency, baskets, limits)
    async for chunk in _due(messages, rate, start, clock, sleep):
        for topic, some in _runs(chunk):
            await publisher.publish(topic_prefix + topic, some)
            counts[topic] += len(some)
        on_progress(sent())
    return sent()


def product_messages(catalogue: Iterable[CatalogItem], currency: str, at: datetime) -> Iterator[Outgoing]:
    """The catalogue as messages for product-updated, as it stood at the moment `at`."""
    for item in catalogue:
        yield Outgoing(item.sku.encode(), encode(product_event(item, currency, at)))


def topic_messages(
    orders: Iterable[Order],
    catalogue: Iterable[CatalogItem],
    currency: str,
    baskets: bool,
    limits: Limits | None,
) -> Iterator[TopicMessage]:
    """The catalogue, then every order: its baskets line by line (unless `baskets` is off), then itself."""
    orders = iter(orders)
    first = next(orders, None)
    at = first.at if first else datetime.fromtimestamp(0, UTC)
    for product in product_messages(catalogue, currency, at):
        yield TopicMessage(topics.PRODUCT_UPDATED, product, at)
    while first is not None:
        key = first.order_id.encode()
        if baskets:
            for event in basket_events(first, currency, limits=limits):
                yield TopicMessage(topics.BASKET_UPDATED, Outgoing(key, encode(event)), first.at)
        yield TopicMessage(topics.ORDER_PLACED, Outgoing(key, encode(order_event(first, currency))), first.at)
        first = next(orders, None)


async def _due(
    messages: Iterator[TopicMessage],
    rate: float | None,
    start: float,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[list[TopicMessage]]:
    """Chunks of what is due, waiting for the next event's time when nothing is."""
    done = 0
    while True:
        allowed = CHUNK_EVENTS
        if rate is not None:
            wait = start + done / rate - clock()
            if wait > 0:
                await sleep(wait)
            allowed = max(1, min(CHUNK_EVENTS, int((clock() - start) * rate) + 1 - done))
        chunk: list[TopicMessage] = []
        size = 0
        for message in islice(messages, allowed):
            chunk.append(message)
            size += len(message.outgoing.value or b"")
            if size >= CHUNK_BYTES:
                break
        if not chunk:
            return
        done += len(chunk)
        yield chunk


def _runs(chunk: Sequence[TopicMessage]) -> Iterator[tuple[str, list[Outgoing]]]:
    """The chunk by topic, baskets before orders: no order overtakes its own baskets."""
    for topic in (topics.PRODUCT_UPDATED, topics.BASKET_UPDATED, topics.ORDER_PLACED):
        some = [message.outgoing for message in chunk if message.topic == topic]
        if some:
            yield topic, some
