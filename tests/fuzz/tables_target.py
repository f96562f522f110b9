"""The tables under fuzz: orders, returns, expiry, crashes and failed calls in any order, against a naive recount.

The bytes are a script of operations; whatever they are, once everything is read to the end the tables must equal what a
plain loop over the log says.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from msgspec import structs

from stream.errors import StateUnavailable
from stream.events import OrderPlaced, OrderReturned
from stream.settings import load_settings
from stream.tables.fences import Owner
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from tests.contract.orders import FIRST_PANE, TOPIC, FailingStore, counts, order, returned
from tests.contract.orders import recount as naive_counts

SKUS = "abcdef"
PARTITIONS = 2
WINDOW_PANES = 3
MAX_OPERATIONS = 60
RETURNS = "order-returned"
DURABLE_AFTER_S = 30.0


class Script:
    """Bytes read as small numbers; zeros once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> bool:
        """Whether there is more to read."""
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """The next number."""
        self._at += 1
        return self._data[self._at - 1] % below if self._at <= len(self._data) else 0


@dataclass
class Shop:
    """A log, the tables made of it, and who owns its partitions."""

    store: FailingStore
    tables: Tables
    orders: list[list[OrderPlaced]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    returns: list[OrderReturned] = field(default_factory=list)
    owners: dict[int, Owner] = field(default_factory=dict)
    returner: Owner | None = None
    day: int = 0

    async def owner(self, partition: int) -> Owner:
        """The owner of a partition, a new one after a crash."""
        if partition not in self.owners:
            owner = await self.tables.fences.take(TOPIC, partition)
            owner.position = owner.lowest_fence
            self.owners[partition] = owner
        return self.owners[partition]

    async def read(self, partition: int, most: int) -> None:
        """Place the next orders of a partition."""
        owner = await self.owner(partition)
        first = owner.position + 1
        batch = list(enumerate(self.orders[partition][first : first + most], first))
        if batch:
            async with owner.lock:
                await self.tables.orders.place(owner, batch)
                owner.handled(batch[-1][0])

    async def expire(self, now_s: float) -> None:
        """One round of expiry, for the window's end as the owners know it."""
        owners = [await self.owner(partition) for partition in range(PARTITIONS)]
        end = max(owner.watermark for owner in owners)
        for owner in owners:
            if end >= FIRST_PANE:
                await self.tables.expiry.expire(owner, end, now_s=now_s, durable_after_s=DURABLE_AFTER_S)

    async def take_back(self, most: int) -> None:
        """Handle the next returns."""
        if self.returner is None:
            self.returner = await self.tables.fences.take(RETURNS, 0)
            self.returner.position = self.returner.lowest_fence
        owner = self.returner
        first = owner.position + 1
        batch = list(enumerate(self.returns[first : first + most], first))
        if batch:
            await self.tables.returns.take_back(owner, batch)
            owner.handled(batch[-1][0])

    async def commit(self, partition: int) -> None:
        """Bring the tags of a partition along, as a commit does."""
        owner = await self.owner(partition)
        await self.tables.fences.move(owner, owner.position, owner.watermark_at(owner.position))

    def crash(self) -> None:
        """Forget everything that is not in the store."""
        self.owners.clear()
        self.returner = None
        self.tables = _tables(self.store)


def check_operations(data: bytes) -> int:
    """One input; how many operations it was. Raises AssertionError when the tables are wrong."""
    return asyncio.run(_check(Script(data)))


async def _check(script: Script) -> int:
    store = FailingStore(MemoryStore())
    shop = Shop(store, _tables(store))
    await shop.tables.dictionary.remember(SKUS)
    done = 0
    while script.left and done < MAX_OPERATIONS:
        await _operate(shop, script, done)
        done += 1
    store.lost, store.cut = set(), set()
    await _finish(shop)
    found, wanted = await counts(shop.tables), naive_counts(_counted(shop))
    assert found == wanted, f"{found} is not {wanted}"
    return done


async def _operate(shop: Shop, script: Script, done: int) -> None:
    choice = script.number(8)
    if choice <= 1:
        _append(shop, script)
        return
    if choice == 7:
        shop.crash()
        return
    shop.store.calls, shop.store.lost, shop.store.cut = 0, set(), set()
    trouble = script.number(12)
    if trouble:
        (shop.store.lost if trouble % 2 else shop.store.cut).add(1 + trouble // 2)
    steps: dict[int, Callable[[], object]] = {
        2: lambda: shop.read(script.number(PARTITIONS), 1 + script.number(4)),
        3: lambda: shop.read(script.number(PARTITIONS), 1 + script.number(4)),
        4: lambda: shop.expire(done * 40.0),
        5: lambda: shop.take_back(1 + script.number(3)),
        6: lambda: shop.commit(script.number(PARTITIONS)),
    }
    try:
        await steps[choice]()  # type: ignore[misc]
    except StateUnavailable:
        return


def _append(shop: Shop, script: Script) -> None:
    """Write an order to the log, now and then with an id that was used before, or the return of one that was not."""
    kind, number, skus = script.number(4), script.number(6), 1 + script.number(63)
    chosen = "".join(sku for place, sku in enumerate(SKUS) if skus >> place & 1)
    once = [placed for log in shop.orders for placed in log if placed.order_id.startswith("once")]
    if kind == 3 and once:
        whose = once[number % len(once)]
        day = _pane(whose) - FIRST_PANE
        event_id = f"r{len(shop.returns)}"
        shop.returns.append(returned(whose.order_id, chosen[: number % 3], event_id=event_id, day=day))
        return
    shop.day += (0, 0, 1, 4)[script.number(4)]
    day = max(0, shop.day - script.number(WINDOW_PANES + 2))
    name = str(number) if kind else f"once-{len(once)}"
    shop.orders[number % PARTITIONS].append(order(name, chosen, day=day))


async def _finish(shop: Shop) -> None:
    """Read everything to the end, without trouble, and expire what has to go."""
    shop.crash()
    for partition, log in enumerate(shop.orders):
        await shop.read(partition, len(log))
    await shop.take_back(len(shop.returns))
    for now_s in (1e6, 2e6, 3e6):
        await shop.expire(now_s)


def seeds() -> Iterator[bytes]:
    """Where fuzzing begins: scripts with much and with little trouble."""
    for seed in range(40):
        dice = random.Random(seed)
        yield bytes(dice.choice((dice.randrange(256), dice.randrange(8), 0)) for _ in range(200))


def _tables(store: FailingStore) -> Tables:
    return Tables(store, load_settings({}, tags=3, window_panes=WINDOW_PANES, customer_window_panes=5))


def _counted(shop: Shop) -> list[OrderPlaced]:
    """The orders in the window at the end, less what came back, by a plain loop over the log."""
    counted: list[OrderPlaced] = []
    newest = max((_pane(placed) for log in shop.orders for placed in log), default=0)
    for log in shop.orders:
        latest: dict[str, int] = {}
        mark = 0
        for placed in log:
            pane = _pane(placed)
            mark = max(mark, pane)
            first_live = mark - WINDOW_PANES + 1
            if pane >= first_live and latest.get(placed.order_id, -1) < first_live:
                latest[placed.order_id] = pane
                counted.append(placed)
    live = [placed for placed in counted if _pane(placed) > newest - WINDOW_PANES]
    return [left for placed in live if (left := _left_of(placed, shop.returns)).lines]


def _left_of(placed: OrderPlaced, returns: list[OrderReturned]) -> OrderPlaced:
    """An order without the SKUs that came back: there was one piece of each."""
    gone: set[str] = set()
    for back in returns:
        if back.order_id == placed.order_id:
            gone |= {line.sku for line in back.lines} or {line.sku for line in placed.lines}
    return structs.replace(placed, lines=[line for line in placed.lines if line.sku not in gone])


def _pane(placed: OrderPlaced) -> int:
    return int(placed.occurred_at.timestamp()) // 86_400
