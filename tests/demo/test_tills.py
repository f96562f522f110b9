"""Tills: what they send, in which order, and how much is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from stream.codec import decode
from stream.demo.answers import Answers
from stream.demo.outbox import PATIENCE, Outbox
from stream.demo.tills import Pace, Tills
from stream.demo.together import together
from stream.errors import OperatorError, StateUnavailable
from stream.events import BasketUpdated
from stream.history.orders import Order, OrderItem
from stream.publisher import Outgoing


def order(number: int, *skus: str) -> Order:
    at = datetime(2020, 1, 1, tzinfo=UTC)
    return Order(str(number), None, at, "store", tuple(OrderItem(sku, 1, Decimal(1)) for sku in skus))


class Shop:
    """A broker and a worker in one: answers every basket as soon as it is published."""

    def __init__(self, orders: Sequence[Order], *, in_flight: int = 4, tills: int = 3) -> None:
        self.log: list[tuple[str, str]] = []
        self.most_waiting = 0
        self.answers = Answers()
        self.baskets, self.placed = Outbox(self, "baskets"), Outbox(self, "orders")
        self.tills = Tills(
            iter(orders),
            "EUR",
            self.answers,
            self.baskets,
            self.placed,
            count=tills,
            in_flight=in_flight,
            pace=Pace(None, lambda: 0.0),
        )

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        self.most_waiting = max(self.most_waiting, self.answers.waiting)
        for message in messages:
            key = (message.key or b"").decode()
            self.log.append((topic, key))
            if topic == "baskets":
                await asyncio.sleep(0)
                self._answer(decode(BasketUpdated, message.value))

    def _answer(self, event: BasketUpdated) -> None:
        raw = msgspec.json.encode(
            {
                "suggestion_id": event.event_id,
                "cause": {"event_id": event.event_id},
                "timing": "in_basket",
                "offers": [],
            }
        )
        if self.answers.read(raw, 0.0):
            self.tills.answered()

    async def run(self) -> None:
        await together(self._all(), self.baskets.send(), self.placed.send())

    async def _all(self) -> None:
        await self.tills.run()
        while self.placed.sent < self.tills.orders_sent:
            await asyncio.sleep(0)


async def test_an_order_goes_out_after_all_suggestions_for_its_basket() -> None:
    shop = Shop([order(n, *"abc"[: 1 + n % 3]) for n in range(20)])

    await shop.run()

    assert shop.tills.orders_sent == 20
    assert shop.tills.baskets_sent == shop.answers.suggestions == sum(1 + n % 3 for n in range(20))
    for n in range(20):
        of_this = [topic for topic, key in shop.log if key == str(n)]
        assert of_this == ["baskets"] * (1 + n % 3) + ["orders"]


async def test_no_more_baskets_wait_than_are_allowed() -> None:
    shop = Shop([order(n, *"abcdefgh") for n in range(10)], in_flight=5)

    await shop.run()

    assert shop.most_waiting <= 5


async def test_a_basket_asks_for_ten_offers() -> None:
    asked: list[BasketUpdated] = []

    class Asked(Shop):
        def _answer(self, event: BasketUpdated) -> None:
            asked.append(event)
            super()._answer(event)

    await Asked([order(1, "a", "b")]).run()

    assert [event.limits.max_offers for event in asked if event.limits] == [10, 10]


async def test_a_till_that_fails_ends_the_others() -> None:
    shop = Shop([order(1, *("x" for _ in range(2_001))), *(order(n, "a") for n in range(2, 9))])

    with pytest.raises(OperatorError, match="2001 lines"):
        await shop.run()


async def test_what_was_not_confirmed_is_sent_again() -> None:
    attempts: list[int] = []

    class Flaky:
        async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
            attempts.append(len(messages))
            if len(attempts) < PATIENCE:
                raise StateUnavailable("not yet")

    outbox = Outbox(Flaky(), "t")
    outbox.post(Outgoing(b"k", b"v"))

    async def until_sent() -> None:
        while not outbox.sent:
            await asyncio.sleep(0)

    await together(until_sent(), outbox.send())

    assert attempts == [1] * PATIENCE


async def test_a_broker_that_stays_away_ends_the_run() -> None:
    class Away:
        async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
            raise StateUnavailable("away")

    outbox = Outbox(Away(), "t")
    outbox.post(Outgoing(b"k", b"v"))

    with pytest.raises(StateUnavailable):
        await together(asyncio.Event().wait(), outbox.send())


async def test_a_pace_does_not_move_when_we_are_late() -> None:
    now = 50.0
    pace = Pace(1_000.0, lambda: now)

    first = await pace.next_s()
    now = 60.0

    assert [first, await pace.next_s(), await pace.next_s()] == pytest.approx([50.0, 50.001, 50.002])
