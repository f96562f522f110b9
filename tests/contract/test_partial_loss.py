"""Every tag goes back to a moment of its own, as the nodes of a cluster do, and the log heals them all exactly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence, Set
from copy import deepcopy
from typing import Any

import pytest
from faust.types import TP

from stream.errors import OperatorError
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
DURABLE_AFTER = 4
"""Orders come one a unit of time; what was acknowledged so long ago is not lost."""
Log = list[list[OrderPlaced]]
"""The orders of each partition; an order's offset is its place."""


class LossyStore(MemoryStore):
    """Remembers each state of each tag and the time it began, so that each can go back to any."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[bytes, list[tuple[int, dict[bytes, Any]]]] = {}
        self.now = 0

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
        if not states or states[-1][1] != state:
            states.append((self.now, state))

    def _state(self, tag: bytes) -> dict[bytes, Any]:
        return deepcopy({key: value for key, value in self.data.items() if _tag_of(key) == tag})

    def lose(self, tag: bytes, since: int) -> None:
        """Have a tag lose what it was told since that time."""
        states = self.history[tag]
        kept = max((i for i, (at, _) in enumerate(states) if at < since), default=0)
        for key in [key for key in self.data if _tag_of(key) == tag]:
            del self.data[key]
        self.data.update(deepcopy(states[kept][1]))
        del states[kept + 1 :]


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
                await self.tables.expiry.expire(
                    owner, end, now_s=self.store.now, durable_after_s=DURABLE_AFTER
                )
            while await self.tables.customers.sweep(self.tables.customer_window.live(end).start):
                pass

    async def catch_up(self) -> None:
        """Handle all there is, commit, and expire."""
        for partition in range(PARTITIONS):
            while self.next[TP(TOPIC, partition)] < len(self.log[partition]):
                await self.read(partition, 5)
        await self.commit()
        for _ in range(3):
            self.store.now += DURABLE_AFTER
            await self.upkeep()

    async def trade(self, orders: int, days: float) -> None:
        """Orders come over `days`, and the worker does what it does in any order."""
        numbered = sum(map(len, self.log))
        began = self.log[0][-1].occurred_at if self.log[0] else None
        offset = 0.0 if began is None else (began - order("0", "a").occurred_at).total_seconds() / 86_400
        for i in range(orders):
            self.store.now += 1
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


async def lose_and_heal(shop: Shop, orders: int, days: float, deepest: int) -> None:
    """Three times: trade, every tag loses a time of at most `deepest`, a fresh worker takes over. Then catch up."""
    await shop.start()
    for _ in range(3):
        await shop.trade(orders, days)
        for tag in shop.store.history:
            if shop.dice.random() < 0.7:
                shop.store.lose(tag, max(1, shop.store.now + 1 - shop.dice.randint(0, deepest)))
        await shop.start()
        if shop.dice.random() < 0.5:
            await shop.upkeep()
    await shop.catch_up()


async def holds_what_the_log_makes(shop: Shop) -> None:
    """Counts, orders and accounts are those of the orders in the window."""
    live = shop.live_orders()
    assert await counts(shop.tables) == recount(live)
    assert {row["order_id"] for row in await rows(shop.tables, "order")} == {one.order_id for one in live}
    orders = Counter(one.customer_id for one in live)
    spend = Counter(dict.fromkeys(orders, 0))
    for one in live:
        spend[one.customer_id] += sum(line.quantity * line.unit_price for line in one.lines)
    held = {
        row["customer_id"]: (row["orders"], row["spend"]["EUR"])
        for row in await rows(shop.tables, "customer")
    }
    assert held == {name: (orders[name], spend[name]) for name in orders}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize(
    ("orders", "days"), [(20, 0.6), (40, 4.0)], ids=["within the window", "over its end"]
)
async def test_tags_that_lost_different_tails_are_healed_exactly(seed: int, orders: int, days: float) -> None:
    shop = Shop(random.Random(f"{seed}/{days}"))

    await lose_and_heal(shop, orders, days, deepest=DURABLE_AFTER)

    await holds_what_the_log_makes(shop)


@pytest.mark.parametrize("seed", range(25))
async def test_tags_that_lost_whole_panes_are_healed_exactly_or_refused(seed: int) -> None:
    shop = Shop(random.Random(seed))

    try:
        await lose_and_heal(shop, 20, 4.0, deepest=20)
    except OperatorError as refusal:
        refused = str(refusal)
    else:
        refused = ""
        await holds_what_the_log_makes(shop)

    assert not refused or ("whose orders are deleted" in refused and "tables rebuild" in refused)
