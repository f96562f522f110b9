"""Tills: each takes the next order, sends its basket line by line, and then the order.

An order is sent only after every suggestion for its basket came back: no basket is ever answered from its
own order. Lines of a basket do not wait for each other's suggestions, so many are in flight at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from stream.codec import encode
from stream.demo.answers import Answers, OpenBasket
from stream.demo.outbox import Outbox
from stream.events import BasketUpdated, Limits
from stream.history.events import basket_events, order_event
from stream.history.orders import Order
from stream.publisher import Outgoing

MAX_OFFERS = 10
"""Offers asked for: the hit rate is one at ten."""


class Pace:
    """Basket events become due at `rate` a second from the first one on; None: at once."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._start_s: float | None = None
        self._given = 0

    async def next_s(self) -> float:
        """Wait for the next event's time and return it; it does not move when we are late."""
        now_s = self._clock()
        if self._rate is None:
            return now_s
        if self._start_s is None:
            self._start_s = now_s
        due_s = self._start_s + self._given / self._rate
        self._given += 1
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)
        return due_s


class Tills:
    """`count` tills that share the orders, the pace, and the bound on baskets in flight."""

    def __init__(
        self,
        orders: Iterator[Order],
        currency: str,
        answers: Answers,
        baskets: Outbox,
        placed: Outbox,
        *,
        count: int,
        in_flight: int,
        pace: Pace,
    ) -> None:
        self._orders, self._currency, self._answers = orders, currency, answers
        self._baskets, self._placed = baskets, placed
        self._count, self._pace = count, pace
        self._slots = asyncio.Semaphore(in_flight)
        self._sold: set[str] = set()
        self.baskets_sent = 0
        self.orders_sent = 0

    async def run(self) -> None:
        """Return when every order is sent; what they raise ends all tills."""
        tills = [asyncio.create_task(self._till(), name=f"till {n}") for n in range(self._count)]
        try:
            await asyncio.gather(*tills)
        finally:
            for till in tills:
                till.cancel()

    def answered(self) -> None:
        """A suggestion came back: one more basket may be sent."""
        self._slots.release()

    async def _till(self) -> None:
        for order in self._orders:
            if order.order_id in self._sold:  # the file has it twice; its baskets would be one basket
                continue
            self._sold.add(order.order_id)
            basket = OpenBasket([item.sku for item in order.items])
            for event in basket_events(order, self._currency, limits=Limits(max_offers=MAX_OFFERS)):
                await self._slots.acquire()
                self._send(event, basket, await self._pace.next_s())
            await basket.complete.wait()
            self._placed.post(Outgoing(order.order_id.encode(), encode(order_event(order, self._currency))))
            self.orders_sent += 1

    def _send(self, event: BasketUpdated, basket: OpenBasket, due_s: float) -> None:
        self._answers.expect(event.event_id, basket, event.version or 0, due_s)
        self._baskets.post(Outgoing(event.basket_id.encode(), encode(event)))
        self.baskets_sent += 1
