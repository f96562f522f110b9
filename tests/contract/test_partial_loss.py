"""Every tag goes back to a moment of its own, as the nodes of a cluster do, and the log heals them all exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from copy import deepcopy
from typing import Any

import pytest
from faust.types import TP

from stream.events import OrderPlaced
from stream.gaps import Gaps
from stream.ops.tally import Tally
from stream.positions import Source, TablePositions
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Command, Script
from stream.tables.tables import Tables
from tests.contract.orders import FIRST_PANE, TOPIC, counts, order, recount, rows

TAGS, PARTITIONS, WINDOW = 4, 2, 3
SKUS = "abcdefgh"
Log = list[list[OrderPlaced]]
"""The orders of each partition; an order's offset is its place."""


class LossyStore(MemoryStore):
    """Remembers each state of each tag, so that it can go back to any."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[bytes, list[dict[bytes, Any]]] = {}

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        answers = []
        for command in commands:
            answers += await super().commands([command])
            self._remember(command[1] if len(command) > 1 else b"")
        return answers

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        answers = []
        for script in scripts:
            answers += await super().scripts([script])
            self._remember(script.keys[0])
        return answers

    def _remember(self, key: Any) -> None:
        if not isinstance(key, bytes) or b"{t" not in key:
            return
        tag = _tag_of(key)
        state = self._state(tag)
        states = self.history.setdefault(tag, [])
        if not states or states[-1] != state:
            states.append(state)

    def _state(self, tag: bytes) -> dict[bytes, Any]:
        return deepcopy({key: value for key, value in self.data.items() if _tag_of(key) == tag})

    def lose(self, tag: bytes, moment: int) -> None:
        """Have a tag go back to a moment of its history."""
        for key in [key for key in self.data if _tag_of(key) == tag]:
            del self.data[key]
        self.data.update(deepcopy(self.history[tag][moment]))
        del self.history[tag][moment + 1 :]


def _tag_of(key: bytes) -> bytes:
    return key[key.index(b"{") : key.index(b"}") + 1]


class Shop:
    """One worker after another over the same log and the same store."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.store = dice, LossyStore()
        self.log: Log = [[] for _ in range(PARTITIONS)]
        self.committed: dict[TP, int | None] = {TP(TOPIC, p): None for p in range(PARTITIONS)}
        self.assignment = 0

    async def start(self) -> None:
        """A fresh worker takes all partitions."""
        self.assignment += 1
        settings = load_settings({}, tags=TAGS, window_panes=WINDOW, customer_window_panes=WINDOW)
        self.tables = Tables(self.store, settings)

        async def earliest(tps: Set[TP]) -> dict[TP, int]:
            return dict.fromkeys(tps, 0)

        async def ends(tps: Set[TP]) -> dict[TP, int]:
            return {tp: len(self.log[tp.partition]) for tp in tps}

        gaps = Gaps(Tally(), "", "stop")
        self.positions = TablePositions(self.tables, {TOPIC: Source()}, earliest, ends, ends, gaps, Tally())
        self.next = await self.positions.start_at(self.committed, self.assignment)

    def publish(self, number: int, day: float) -> None:
        """A new order somewhere; some ids come twice."""
        skus = self.dice.sample(SKUS, self.dice.randint(1, 4))
        partition = number % PARTITIONS
        ident = number - PARTITIONS if number > 10 and self.dice.random() < 0.1 else number
        self.log[partition].append(order(str(ident), skus, day=day, customer=f"c{ident % 3}"))

    async def read(self, partition: int, most: int) -> None:
        """The worker handles the next batch of a partition."""
        tp = TP(TOPIC, partition)
        first = self.next[tp]
        batch = list(enumerate(self.log[partition]))[first : first + most]
        if not batch:
            return
        owner = self.positions.owner(TOPIC, partition, self.assignment)
        await self.tables.dictionary.remember({line.sku for _, placed in batch for line in placed.lines})
        await self.tables.orders.place(owner, batch)
        owner.handled(batch[-1][0])
        self.next[tp] = batch[-1][0] + 1

    async def commit(self) -> None:
        """What was handled is committed."""
        done = {tp: at for tp, at in self.next.items() if at > (self.committed[tp] or 0)}
        self.committed.update(await self.positions.before_commit(done))

    async def upkeep(self) -> None:
        """As a worker does each second: what left the window is taken away again."""
        owners = self.positions.owners(TOPIC)
        end = max(owner.watermark for owner in owners)
        if end >= FIRST_PANE:
            for owner in owners:
                await self.tables.expiry.expire(owner, end)
            while await self.tables.customers.sweep(self.tables.customer_window.live(end).start):
                pass

    async def catch_up(self) -> None:
        """Handle all there is, commit, and expire."""
        for partition in range(PARTITIONS):
            while self.next[TP(TOPIC, partition)] < len(self.log[partition]):
                await self.read(partition, 5)
        await self.commit()
        for _ in range(2):
            await self.upkeep()

    async def trade(self, orders: int, days: float) -> None:
        """Orders come over `days`, and the worker does what it does in any order."""
        numbered = sum(map(len, self.log))
        began = self.log[0][-1].occurred_at if self.log[0] else None
        offset = 0.0 if began is None else (began - order("0", "a").occurred_at).total_seconds() / 86_400
        for i in range(orders):
            self.publish(numbered + i, offset + days * i / orders)
            for partition in range(PARTITIONS):
                if self.dice.random() < 0.4:
                    await self.read(partition, self.dice.randint(1, 4))
            if self.dice.random() < 0.2:
                await self.commit()
            if self.dice.random() < 0.1:
                await self.upkeep()

    def live_orders(self) -> list[OrderPlaced]:
        """The orders that count at the end of the log: first of their id, in the window."""
        last = max(placed.occurred_at for orders in self.log for placed in orders)
        first_pane = _pane(last) - WINDOW + 1
        seen: dict[str, OrderPlaced] = {}
        for orders in self.log:
            for placed in orders:
                seen.setdefault(placed.order_id, placed)
        return [placed for placed in seen.values() if _pane(placed.occurred_at) >= first_pane]


def _pane(moment: Any) -> int:
    return int(moment.timestamp() // 86_400)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("days", [2.0], ids=["within the window"])
async def test_tags_that_lost_different_tails_are_healed_exactly(seed: int, days: float) -> None:
    shop = Shop(random.Random(f"{seed}/{days}"))
    await shop.start()
    safe = {tag: len(states) - 1 for tag, states in shop.store.history.items()}
    for _ in range(3):
        await shop.trade(20, days / 3)
        for tag in shop.store.history:
            if shop.dice.random() < 0.7:
                # At most the last twelve changes: a second or two, in which no pane ends.
                latest = len(shop.store.history[tag]) - 1
                shop.store.lose(tag, max(safe[tag], latest - shop.dice.randint(0, 12)))
        await shop.start()

    await shop.catch_up()

    assert await counts(shop.tables) == recount(shop.live_orders())
    held = {row["order_id"] for row in await rows(shop.tables, "order")}
    assert held == {placed.order_id for placed in shop.live_orders()}
