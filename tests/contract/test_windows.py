"""The window in event time: late, early and out-of-order orders, idle partitions, and expiry while orders flow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from stream.errors import StateUnavailable
from stream.events import OrderPlaced
from stream.settings import load_settings
from stream.tables.dump import dump_rows
from stream.tables.fences import Owner
from stream.tables.memory_store import MemoryStore
from stream.tables.orders import Verdict
from stream.tables.store import Command, Script, Store
from stream.tables.tables import Tables
from stream.verification.compare import compare
from stream.verification.recount import LoggedOrder, recount
from stream.verification.rules import Rules
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, FailingStore, counts, order, rows
from tests.contract.orders import recount as counts_of

SKUS = "abcdef"


async def test_orders_in_any_order_within_the_window_count_on_their_own_day(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember(SKUS)
    owner = await made.fences.take(TOPIC, 0)
    shuffled = [order("1", "ab", day=2), order("2", "bc", day=0), order("3", "ca", day=1)]

    placed = await made.orders.place(owner, list(enumerate(shuffled)))
    owner.handled(2)
    await made.expiry.expire(owner, FIRST_PANE + 3)

    assert set(placed.verdicts) == {Verdict.COUNTED}
    assert await counts(made) == counts_of([shuffled[0], shuffled[2]])


async def test_a_clock_that_is_ahead_makes_its_own_partition_late_and_no_other(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember(SKUS)
    ahead, sound = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    await made.orders.place(ahead, [(0, order("1", "ab", day=4))])

    behind = await made.orders.place(ahead, [(1, order("2", "cd", day=1))])
    other = await made.orders.place(sound, [(0, order("3", "cd", day=1))])

    assert (behind.verdicts, other.verdicts) == ([Verdict.LATE], [Verdict.COUNTED])


async def test_an_idle_partitions_orders_leave_the_window_with_the_others_clock(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember(SKUS)
    idle, busy = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    await made.orders.place(idle, [(0, order("1", "ab")), (1, order("2", "bc", day=1))])
    idle.handled(1)
    await made.orders.place(busy, [(0, order("3", "cd", day=3))])
    busy.handled(0)

    for _ in range(2):
        for owner in (idle, busy):
            await made.expiry.expire(owner, FIRST_PANE + 3)

    assert await counts(made) == counts_of([order("2", "bc"), order("3", "cd")])
    # The idle partition may still place an order of that day and read one of them again: claims stay.
    again = await made.orders.place(idle, [(2, order("1", "ab"))])
    assert again.verdicts == [Verdict.DUPLICATE]


@pytest.mark.parametrize(("pane_s", "panes"), [(3_600, 24), (86_400, 1), (7 * 86_400, 4), (1, 90)])
async def test_panes_and_windows_of_any_length_are_exact(pane_s: int, panes: int) -> None:
    dice = random.Random(pane_s)
    settings = load_settings({}, tags=3, pane_s=pane_s, window_panes=panes, customer_window_panes=2 * panes)
    made = Tables(MemoryStore(), settings)
    await made.dictionary.remember(SKUS)
    days = [n * pane_s / 86_400 / 3 for n in range(3 * panes * 3)]
    placed = [order(str(n), dice.sample(SKUS, 3), day=day, customer="ann") for n, day in enumerate(days)]
    dice.shuffle(placed)

    await _run(made, [placed[::2], placed[1::2]], dice)

    logged = [LoggedOrder(p, n, e) for p in (0, 1) for n, e in enumerate(placed[p::2])]
    rules = Rules(pane_ms=pane_s * 1_000, window_panes=panes, customer_window_panes=2 * panes)
    found = await compare(recount(logged, rules=rules).rows(), dump_rows(made))
    assert found.equal, [str(difference) for difference in found.first]


async def _run(made: Tables, logs: Sequence[Sequence[OrderPlaced]], dice: random.Random) -> None:
    """Place both partitions' orders in turn, with upkeep in between and at the end."""
    owners = [await made.fences.take(TOPIC, partition) for partition in range(len(logs))]
    done = [0] * len(logs)
    while any(at < len(log) for at, log in zip(done, logs, strict=True)):
        p = dice.randrange(len(logs))
        batch = list(enumerate(logs[p]))[done[p] : done[p] + dice.randint(1, 9)]
        if batch:
            await made.orders.place(owners[p], batch)
            owners[p].handled(batch[-1][0])
            done[p] += len(batch)
        await _upkeep(made, owners)
    await _upkeep(made, owners)


async def _upkeep(made: Tables, owners: Sequence[Owner]) -> None:
    end = max(owner.watermark for owner in owners)
    for owner in owners:
        await made.expiry.expire(owner, end)
    while await made.customers.sweep(made.customer_window.live(end).start):
        pass


class Interrupting:
    """Does something else in front of every call of the store, as another task of the worker would."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls = 0
        self.meanwhile: list[Any] = []

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        await self._interrupt()
        return await self.store.commands(commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        await self._interrupt()
        return await self.store.scripts(scripts)

    async def _interrupt(self) -> None:
        self.calls += 1
        if self.meanwhile:
            await self.meanwhile.pop(0)()

    async def close(self) -> None:
        """See `Store`."""


@pytest.mark.parametrize("crash_at", [None, *range(1, 40, 3)])
async def test_orders_flow_between_the_steps_of_an_expiry_that_may_be_killed_half_way(
    tables: MakeTables, store: Store, crash_at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is bounded, and in front of every call an order in time for its partition comes into the old pane."""
    monkeypatch.setattr("stream.tables.expiry.STEP_ORDERS", 2)
    steps = Interrupting(store)
    failing = FailingStore(steps, lost=() if crash_at is None else [crash_at])
    expiring, placing = tables(failing), tables(store)
    await placing.dictionary.remember(SKUS)
    slow, fast = await placing.fences.take(TOPIC, 0), await placing.fences.take(TOPIC, 1)
    old = [order(str(n), "abc") for n in range(7)]
    new = [order("new", "de", day=3)]
    await placing.orders.place(slow, list(enumerate(old)))
    slow.handled(6)
    await placing.orders.place(fast, [(0, new[0])])
    late_comers = [order(f"flowing-{n}", "bc", day=0.5) for n in range(6)]

    async def place(number: int) -> None:
        if not slow.lock.locked():
            await placing.orders.place(slow, [(7 + number, late_comers[number])])
            slow.handled(7 + number)
        else:
            steps.meanwhile.insert(0, lambda: place(number))

    steps.meanwhile = [lambda n=n: place(n) for n in range(6)]
    for _ in range(12):
        try:
            await expiring.expiry.expire(slow, FIRST_PANE + 3)
        except StateUnavailable:
            continue
        if not steps.meanwhile:
            break

    failing.lost = set()
    await expiring.expiry.expire(slow, FIRST_PANE + 3)
    assert await counts(placing) == counts_of(new)
    assert [row["order_id"] for row in await rows(placing, "order")] == ["new"]
