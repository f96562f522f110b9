"""An open loop of baskets at a constant rate: each is stamped with the time at which it was to be sent.

When the loop cannot keep up the stamps do not move, so a stall shows in every basket it held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic_ns
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from benchmarks.child import given, say
from benchmarks.shop import LINES_OF_A_BASKET, shop_of_today
from stream.codec import encode

START_AFTER_NS = 300_000_000
DISTINCT = 20_000


class Load(Struct, frozen=True):
    """What is sent where; the first `warm_up` baskets do not count."""

    bootstrap: str
    topic: str
    per_s: float
    baskets: int
    warm_up: int
    skus: int
    customers: int


class Sent(Struct, frozen=True):
    """How well the loop kept its own time."""

    latest_ms: float
    """The furthest it was behind."""


def stamp(at_ns: int, number: int, *, counts: bool) -> str:
    """The event id of a basket: whether it counts, when it was to be sent, and which one it is.

    >>> read_stamp(stamp(12, 0, counts=True)), read_stamp(stamp(12, 1, counts=False))
    (12, None)
    """
    return f"{'load' if counts else 'warm'}/{at_ns}/{number}"


def read_stamp(event_id: str) -> int | None:
    """When a basket was to be sent, ns; None for one that does not count."""
    kind, at_ns, _ = event_id.split("/")
    return int(at_ns) if kind == "load" else None


async def send(load: Load) -> Sent:
    """Send everything that is due, for as long as there is something."""
    shop = shop_of_today(load.skus, load.customers)
    picks = shop.selections(DISTINCT, LINES_OF_A_BASKET, seed=4).tolist()
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=load.bootstrap, acks="all", enable_idempotence=True, linger_ms=0
    )
    await producer.start()
    confirmed: list[Any] = []
    behind_ns = 0
    try:
        for number, at_ns in _schedule(load):
            late_ns = monotonic_ns() - at_ns
            if late_ns < 0:
                await asyncio.sleep(-late_ns / 1e9)
                late_ns = monotonic_ns() - at_ns
            behind_ns = max(behind_ns, late_ns if number >= load.warm_up else 0)
            ident = stamp(at_ns, number, counts=number >= load.warm_up)
            event = shop.basket(number, picks[number % DISTINCT], ident)
            confirmed.append(
                await producer.send(load.topic, key=event.basket_id.encode(), value=encode(event))
            )
            if number % 16 == 0:
                await asyncio.sleep(0)  # a loop that is behind must still let the sender work
        await asyncio.gather(*confirmed)
    finally:
        await producer.stop()
    return Sent(behind_ns / 1e6)


def _schedule(load: Load) -> Iterator[tuple[int, int]]:
    start_ns, step_ns = monotonic_ns() + START_AFTER_NS, 1e9 / load.per_s
    for number in range(load.baskets):
        yield number, start_ns + round(number * step_ns)


def main() -> None:
    """Send, and say how far behind it was."""
    say(asyncio.run(send(given(Load))))


if __name__ == "__main__":
    main()
