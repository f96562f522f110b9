"""Two workers on one set of tables, each in the midst of something, and neither knowing of the other."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from stream.errors import StateLost, StateUnavailable, Superseded
from stream.settings import load_settings
from stream.tables.dump import dump_rows
from stream.tables.fences import Owner
from stream.tables.tables import Tables
from stream.verification.recount import LoggedOrder, LoggedReturn, recount
from stream.verification.rules import Rules
from tests.contract.orders import FIRST_PANE
from tests.model.stepped_store import Nodes, SteppedStore, at_once

TAGS, WINDOW = 3, 3
ORDERS, RETURNS, ERASURES = "order-placed", "order-returned", "customer-erased"
SOURCES = ((ORDERS, 0), (ORDERS, 1), (RETURNS, 0), (ERASURES, 0))
SKUS = "abcd"
DURABLE_AFTER_S = 10.0
"""A node goes back by less than that."""
SETTINGS = load_settings({}, tags=TAGS, window_panes=WINDOW, customer_window_panes=2 * WINDOW)
COMPARED = ("co_purchase", "order", "order_count")
Source = tuple[str, int]


@dataclass
class Log:
    """What is in Kafka, and what must come of it."""

    records: dict[Source, list[Any]] = field(default_factory=lambda: {source: [] for source in SOURCES})

    def wanted(self) -> list[dict[str, Any]]:
        """The rows of an independent recount."""
        orders = [
            LoggedOrder(partition, offset, event)
            for (topic, partition), events in self.records.items()
            if topic == ORDERS
            for offset, event in enumerate(events)
        ]
        returns = [LoggedReturn(0, offset, event) for offset, event in enumerate(self.records[RETURNS, 0])]
        rules = Rules(window_panes=WINDOW, customer_window_panes=2 * WINDOW)
        found = recount(orders, returns, self.records[ERASURES, 0], rules=rules)
        return [row for row in found.rows() if row["table"] in COMPARED]


class Worker:
    """A worker: the partitions it believes to own, and the call it is in the midst of."""

    def __init__(self, nodes: Nodes, log: Log) -> None:
        self._nodes, self._log = nodes, log
        self._store = SteppedStore(nodes)
        self.tables = Tables(self._store, SETTINGS)
        self.owners: dict[Source, Owner] = {}
        self.running: Coroutine[Any, Any, None] | None = None
        self.superseded = self.lost = 0

    def begin(self, doing: Coroutine[Any, Any, None]) -> None:
        """Begin something; what was under way is brought to its end first."""
        self.go_on(None)
        self.running = doing

    def go_on(self, turns: int | None) -> None:
        """Go on for so many calls of a node, or to the end."""
        while self.running is not None and turns != 0:
            turns = None if turns is None else turns - 1
            try:
                self.running.send(None)
            except (StopIteration, StateUnavailable):
                self.running = None
            except Superseded:
                self.running, self.superseded = None, self.superseded + 1
                self.owners.clear()
            except StateLost:
                self.running, self.lost = None, self.lost + 1
                self._begin_again()

    def crash(self) -> None:
        """Forget everything."""
        if self.running is not None:
            self.running.close()
        self.running = None
        self._begin_again()

    def _begin_again(self) -> None:
        self.owners.clear()
        self.tables.begin_again()
        self._store.begin_again()

    async def take(self, source: Source) -> None:
        """Become the owner, as after a rebalance."""
        owner = await self.tables.fences.take(*source)
        owner.position = owner.lowest_fence
        self.owners[source] = owner

    async def read(self, source: Source, most: int) -> None:
        """Handle the next records."""
        owner = self.owners.get(source)
        if owner is None:
            return
        first = owner.position + 1
        batch = list(enumerate(self._log.records[source][first : first + most], first))
        if not batch:
            return
        async with owner.lock:
            if source[0] == ORDERS:
                await self.tables.dictionary.remember({line.sku for _, sold in batch for line in sold.lines})
                await self.tables.orders.place(owner, batch)
            elif source[0] == RETURNS:
                await self.tables.returns.take_back(owner, batch)
            else:
                await self.tables.erasures.erase(owner, batch, await self._end(), 0)
            owner.handled(batch[-1][0])

    async def commit(self, source: Source) -> None:
        """Bring every tag along."""
        owner = self.owners.get(source)
        if owner is not None and owner.position >= 0:
            async with owner.lock:
                await self.tables.fences.move(owner, owner.position, owner.watermark_at(owner.position))

    async def upkeep(self) -> None:
        """What a worker does beside its batches."""
        end = await self._end()
        for (topic, _), owner in list(self.owners.items()):
            if topic == ORDERS and end >= FIRST_PANE:
                now_s = self._nodes.now
                await self.tables.orders.undoing.settle_unguarded(
                    owner, now_s=now_s, durable_after_s=DURABLE_AFTER_S
                )
                if self._returns_first():
                    await self.tables.expiry.expire(owner, end, now_s=now_s, durable_after_s=DURABLE_AFTER_S)

    def _returns_first(self) -> bool:
        """Whether returns that may be read again were: else an order that lost them is taken away whole."""
        owner = self.owners.get((RETURNS, 0))
        return owner is not None and owner.caught_up

    async def _end(self) -> int:
        stored = await self.tables.fences.watermark(ORDERS)
        return max([stored, *(o.watermark for (topic, _), o in self.owners.items() if topic == ORDERS)])

    def finish(self) -> None:
        """Take everything, read all there is, and do the upkeep of the times to come. Alone."""
        self.crash()
        for source in SOURCES:
            at_once(self.take(source))
        left = list(SOURCES)
        while left:
            source = left.pop(0)
            try:
                at_once(self.read(source, len(self._log.records[source])))
            except StateUnavailable:
                left.append(source)  # what it waits for is read by another
        for _ in range(4):
            self._nodes.now += 2 * DURABLE_AFTER_S
            at_once(self.upkeep())

    def found(self) -> list[dict[str, Any]]:
        """The rows of the tables."""

        async def rows() -> list[dict[str, Any]]:
            tables = Tables(self._nodes.memory, SETTINGS)
            return [row async for row in dump_rows(tables) if row["table"] in COMPARED]

        found: list[dict[str, Any]] = at_once(rows())
        return found
