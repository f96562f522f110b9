"""Publishing: what the load makes goes to Kafka and into the history, at once or as a steady flow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.faults.group import Group
from tests.faults.history import History
from tests.faults.load import ORDERS, Load, Message

RETRY_S = 0.5
PERSISTENCE_S = 180.0
"""How long a message is offered again to a broker that does not take it."""
TWICE_SHARE = 0.2
"""Of the returns, that are sent a second time."""


@dataclass
class Feed:
    """One producer. A message whose acknowledgement got lost is sent again, as a shop would: the log is what counts."""

    producer: AIOKafkaProducer
    prefix: str
    load: Load
    group: Group
    history: History
    dice: random.Random
    poisoned: set[tuple[str, int, int]] = field(default_factory=set)
    published: int = 0
    returns_share: float = 0.03
    """Of the orders of a step; some return before their order is counted, some are sent twice."""
    erasures_share: float = 0.02
    """Of the steps, in which a customer asks to be forgotten."""
    _returnable: list[dict[str, Any]] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Return once Kafka has them all: (partition, offset) of each."""
        places: list[tuple[int, int] | None] = [None] * len(messages)
        async with asyncio.timeout(PERSISTENCE_S):
            while missing := [i for i, place in enumerate(places) if place is None]:
                await self._send([(i, messages[i]) for i in missing], places)
                if None in places:
                    await asyncio.sleep(RETRY_S)
        found = [place for place in places if place is not None]
        self._note(messages, found)
        return found

    async def _send(
        self, numbered: Sequence[tuple[int, Message]], places: list[tuple[int, int] | None]
    ) -> None:
        futures = []
        for i, m in numbered:
            with suppress(KafkaError):
                futures.append((i, await self.producer.send(self.prefix + m.topic, key=m.key, value=m.value)))
        for i, future in futures:
            with suppress(KafkaError):
                sent = await future
                places[i] = (sent.partition, sent.offset)

    def _note(self, messages: Sequence[Message], places: Sequence[tuple[int, int]]) -> None:
        made = {event["order_id"].encode(): event for event in self.load.placed}
        self.load.placed.clear()
        for m, (partition, offset) in zip(messages, places, strict=True):
            if m.poison:
                self.poisoned.add((m.topic, partition, offset))
            elif m.topic == ORDERS and m.key in made:
                self._returnable.append(made.pop(m.key))
        self.published += len(messages)
        events = [[m.topic, *place, m.event_id] for m, place in zip(messages, places, strict=True)]
        self.history.note("published", events=events)

    # -- a steady flow

    def flow(self, *, orders: int = 20, baskets: int = 20, every_s: float = 0.1, steps: int = 100) -> None:
        """Begin to publish so many orders and baskets a step, returns of some, and now and then an erasure."""
        assert self._task is None, "the load flows already"
        self._enough.clear()
        self._task = asyncio.create_task(self._flow(orders, baskets, every_s, steps))

    async def _flow(self, orders: int, baskets: int, every_s: float, steps: int) -> None:
        for _ in range(steps):
            if self._enough.is_set():
                return
            await self.publish(self.load.step(orders, baskets))
            await self.publish_returns()
            await asyncio.sleep(every_s)

    async def stop(self) -> None:
        """Publish no more; what is on its way arrives."""
        self._enough.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    @property
    def flowing(self) -> bool:
        """The flow has not come to its end."""
        return self._task is not None and not self._task.done()

    async def publish_returns(self) -> None:
        """Returns of a share of the orders published since, a few of them twice; now and then a customer is erased."""
        orders, self._returnable = self._returnable, []
        chosen = [self.load.returned(order) for order in orders if self.dice.random() < self.returns_share]
        chosen += [again for again in chosen if self.dice.random() < TWICE_SHARE]
        if self.dice.random() < self.erasures_share:
            chosen.append(self.load.erased(self.dice.choice(self.load.customers)))
        if chosen:
            await self.publish(chosen)
