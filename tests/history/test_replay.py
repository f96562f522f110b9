"""Replay: what is sent, in which order, and when it is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from stream.history.catalogue import CatalogItem
from stream.history.orders import Order, OrderItem
from stream.history.replay import replay
from stream.publisher import Outgoing

AT = datetime(2017, 1, 1, tzinfo=UTC)


def order(number: int, *skus: str) -> Order:
    return Order(str(number), None, AT, "store", tuple(OrderItem(sku, 1, Decimal(1)) for sku in skus))


class Log:
    """A publisher that remembers, and a clock that publishing and sleeping move."""

    def __init__(self, publish_s: float = 0.0) -> None:
        self.sent: list[tuple[str, bytes | None, float]] = []
        self.now = 100.0
        self.publish_s = publish_s

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        self.sent += [(topic, message.key, self.now) for message in messages]
        self.now += self.publish_s

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_the_catalogue_goes_first_and_no_order_before_its_baskets() -> None:
    log = Log()

    sent = await replay(
        [order(1, "a", "b"), order(2, "a")],
        [CatalogItem(sku="a", title="A")],
        log,
        currency="EUR",
        topic_prefix="x.",
        clock=log.clock,
    )

    assert [(topic, key) for topic, key, _ in log.sent] == [
        ("x.product-updated", b"a"),
        ("x.basket-updated", b"1"),
        ("x.basket-updated", b"1"),
        ("x.basket-updated", b"2"),
        ("x.order-placed", b"1"),
        ("x.order-placed", b"2"),
    ]
    assert (sent.products, sent.baskets, sent.orders, sent.events) == (1, 3, 2, 6)


async def test_orders_alone_are_sent_when_baskets_are_not_wanted() -> None:
    log = Log()

    await replay([order(1, "a", "b")], [], log, currency="EUR", baskets=False, clock=log.clock)

    assert [topic for topic, _, _ in log.sent] == ["order-placed"]


async def test_a_rate_is_kept() -> None:
    log = Log()

    await replay(
        [order(n, "a") for n in range(50)],
        [],
        log,
        currency="EUR",
        rate=10,
        clock=log.clock,
        sleep=log.sleep,
    )

    assert len(log.sent) == 100
    assert log.sent[-1][2] == pytest.approx(100 + 99 / 10, abs=0.11)


async def test_a_slow_broker_does_not_lower_the_rate() -> None:
    # Each publish takes a second: what became due meanwhile goes out with the next one, so that 100 events
    # at 10 a second end in about ten seconds and not in a hundred.
    log = Log(publish_s=1.0)

    await replay(
        [order(n, "a") for n in range(50)],
        [],
        log,
        currency="EUR",
        rate=10,
        clock=log.clock,
        sleep=log.sleep,
    )

    assert log.now == pytest.approx(100 + 99 / 10, abs=4)


async def test_progress_is_told() -> None:
    told: list[int] = []
    log = Log()

    await replay(
        [order(n, "a") for n in range(600)],
        [],
        log,
        currency="EUR",
        on_progress=lambda sent: told.append(sent.events),
        clock=log.clock,
    )

    assert told == [500, 1000, 1200]


async def test_messages_are_events_of_the_contract() -> None:
    kept: list[Outgoing] = []

    class Keep:
        async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
            kept.extend(messages)

    await replay([order(1, "a")], [], Keep(), currency="EUR")

    assert [msgspec.json.decode(m.value or b"")["currency"] for m in kept] == ["EUR", "EUR"]
