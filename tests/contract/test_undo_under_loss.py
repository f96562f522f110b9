"""Orders, returns and erasures by workers that die anywhere, over a store whose tags each lose their own tail.

Whatever came first, whatever was cut off, whichever tag went back how far: once everything is read again from the
lowest fences, the tables are those of a recount of the logs.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stream.errors import StateUnavailable
from stream.events import CustomerErased, OrderReturned
from stream.settings import load_settings
from stream.tables.dump import dump_rows
from stream.tables.fences import Owner
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from stream.verification.compare import compare
from stream.verification.recount import LoggedOrder, LoggedReturn, Recount, recount
from stream.verification.rules import Rules
from tests.contract.orders import FIRST_PANE, FailingStore, erased, order, returned

SETTINGS = {"tags": 3, "window_panes": 30, "customer_window_panes": 60}
RULES = Rules(window_panes=30, customer_window_panes=60)
DEEPEST = 6
"""States that a tag may fall back to: what came before them is safe."""
SKUS, CUSTOMERS = "abcdef", ("ann", "bob", "cid", None)


@dataclass
class Source:
    """A partition: its log, and how far its worker has come."""

    topic: str
    partition: int
    log: list[Any]
    owner: Owner | None = None
    next: int = 0


@dataclass
class World:
    """A shop whose workers and whose store fail when the dice say so."""

    dice: random.Random
    store: MemoryStore = field(default_factory=MemoryStore)
    past: list[dict[bytes, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.failing = FailingStore(self.store)
        self.tables = Tables(self.failing, load_settings({}, **SETTINGS))
        self.sources = [
            *(Source("order-placed", p, []) for p in (0, 1)),
            *(Source("order-returned", p, []) for p in (0, 1)),
            Source("customer-erased", 0, []),
        ]

    def write_logs(self) -> None:
        """Orders, returns of them (some twice, some of orders that never come), and erasures."""
        dice, (one, other, back, more_back, erasures) = self.dice, self.sources
        for number in range(14):
            placed = order(
                str(number),
                [dice.choice(SKUS) for _ in range(dice.randint(1, 5))],
                day=dice.random() * 3,
                customer=dice.choice(CUSTOMERS),
                price=dice.choice([1_00, 70_00]),
            )
            dice.choice([one, other]).log.append(placed)
            if dice.random() < 0.2:
                (one if placed in one.log else other).log.append(placed)
        for number in range(12):
            skus = "".join(dice.sample(SKUS, dice.randint(0, 3)))
            event = returned(str(dice.randint(0, 15)), skus, event_id=f"r{number}", day=9)
            log = (back if int(event.order_id) % 2 else more_back).log
            log.append(event)
            if dice.random() < 0.3:
                log.append(event)
        for number in range(dice.randint(0, 3)):
            name = dice.choice(CUSTOMERS[:3])
            assert name is not None
            erasures.log.append(erased(name, day=dice.random() * 3, event_id=f"e{number}"))

    async def start(self) -> None:
        """Take every partition anew and go back to what the lowest fence says."""
        for source in self.sources:
            source.owner = await self.tables.fences.take(source.topic, source.partition)
            source.owner.position = source.owner.lowest_fence
            source.next = source.owner.position + 1

    async def step(self, source: Source) -> None:
        """Handle the next few records of a partition."""
        assert source.owner is not None
        batch = list(enumerate(source.log))[source.next : source.next + self.dice.randint(1, 3)]
        if not batch:
            return
        await self._handler(source)(source.owner, batch)
        source.owner.handled(batch[-1][0])
        source.next = batch[-1][0] + 1

    def _handler(self, source: Source) -> Callable[[Owner, list[tuple[int, Any]]], Awaitable[Any]]:
        if source.topic == "order-placed":
            return self.tables.orders.place
        return self._take_back if source.topic == "order-returned" else self._erase

    async def _take_back(self, owner: Owner, batch: list[tuple[int, OrderReturned]]) -> None:
        await self.tables.returns.take_back(owner, batch)

    async def _erase(self, owner: Owner, batch: list[tuple[int, CustomerErased]]) -> None:
        await self.tables.erasures.erase(owner, batch, FIRST_PANE + 9, 0)

    async def commit(self, source: Source) -> None:
        """Bring every tag up to what was handled."""
        assert source.owner is not None
        if source.next:
            await self.tables.fences.move(source.owner, source.next - 1, source.owner.watermark)
        if source.topic == "order-placed":
            await self.tables.orders.undoing.settle_unguarded(
                source.owner, now_s=len(self.past), durable_after_s=DEEPEST
            )

    def remember(self) -> None:
        """A state that a tag may fall back to."""
        self.past.append(copy.deepcopy(self.store.data))

    def lose_tails(self) -> None:
        """Some tags fall back, each to a state of its own choice. What came after that never was: it is no way back."""
        for tag in range(3):
            prefix = self.tables.keys.prefix(tag)
            if self.dice.random() < 0.6:
                at = self.dice.choice(range(len(self.past))[-DEEPEST:])
                kept = {key: value for key, value in self.past[at].items() if key.startswith(prefix)}
                for state in [*self.past[at + 1 :], self.store.data]:
                    for key in [key for key in state if key.startswith(prefix)]:
                        del state[key]
                    state |= copy.deepcopy(kept)

    def recount(self) -> Recount:
        """What must come out."""
        one, other, back, more_back, erasures = self.sources
        orders = [LoggedOrder(s.partition, n, e) for s in (one, other) for n, e in enumerate(s.log)]
        returns = [LoggedReturn(s.partition, n, e) for s in (back, more_back) for n, e in enumerate(s.log)]
        return recount(orders, returns, erasures.log, rules=RULES)


async def run(world: World, rounds: int, *, losing: bool) -> None:
    """Handle the logs in no particular order, with failures; then all that is left, without."""
    world.write_logs()
    await world.tables.dictionary.remember(SKUS)
    world.remember()
    await world.start()
    for _ in range(rounds):
        calls = world.failing.calls
        world.failing.cut = {calls + world.dice.randint(1, 40)}
        world.failing.lost = {calls + world.dice.randint(1, 40)}
        source = world.dice.choice(world.sources)
        try:
            await (world.commit(source) if world.dice.random() < 0.3 else world.step(source))
        except StateUnavailable:
            world.failing.cut = world.failing.lost = set()
            if world.dice.random() < 0.5:
                await world.start()
        world.failing.cut = world.failing.lost = set()
        world.remember()
        if losing and world.dice.random() < 0.2:
            world.lose_tails()
            await world.start()
    while any(source.next < len(source.log) for source in world.sources):
        try:
            await world.step(world.dice.choice(world.sources))
        except StateUnavailable as waits:
            if "to be read again" not in str(waits):
                raise
    for source in world.sources:
        await world.commit(source)


@pytest.mark.parametrize("losing", [False, True], ids=["crashes", "crashes and losses"])
@pytest.mark.parametrize("seed", [*range(40), 5847])
async def test_the_tables_are_those_of_a_recount_whatever_was_lost(seed: int, losing: bool) -> None:
    world = World(random.Random(seed))

    await run(world, 60, losing=losing)

    found = await compare(world.recount().rows(), dump_rows(world.tables))
    assert found.equal, [str(difference) for difference in found.first]
