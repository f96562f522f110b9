"""A batch of returns comes to what its returns come to one by one, in few round trips, wherever it is cut off."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from stream.errors import PoisonEvent, StateUnavailable
from stream.events import OrderReturned
from stream.settings import load_settings
from stream.tables import parked, returns
from stream.tables.memory_store import MemoryStore
from stream.tables.returns import Outcome
from stream.tables.store import Command, Script, Store
from stream.tables.tables import Tables
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, FailingStore, counts, order, recount, returned, rows

RETURNS = "order-returned"
Batch = Sequence[tuple[int, OrderReturned]]
ORDERS = [order(str(number), "abcd"[: number % 5], customer=f"c{number % 3}") for number in range(1, 13)]


def some_returns(dice: random.Random, number: int) -> list[OrderReturned]:
    """Returns of few orders: many of the same, some sent twice, some too late, some of orders that are not there."""
    made: list[OrderReturned] = []
    for event in range(number):
        if made and dice.random() < 0.2:
            made.append(dice.choice(made))
            continue
        skus = "".join(dice.sample("abcd", dice.randint(0, 2)))
        day = dice.choice([0, 0, 1, 9])
        made.append(returned(str(dice.randint(1, 15)), skus, event_id=f"r{event}", day=day))
    return made


async def shop(over: Store) -> Tables:
    """Tables that hold half of the orders."""
    made = Tables(over, load_settings({}, tags=4, window_panes=3, customer_window_panes=5))
    await made.dictionary.remember("abcd")
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, list(enumerate(ORDERS[:6])))
    return made


async def everything(made: Tables) -> Any:
    """Rows, and what waits."""
    keys = [made.keys.parked(tag) for tag in range(4)]
    keys += [made.keys.undone(tag, 0, FIRST_PANE) for tag in range(4)]
    held = await made.store.commands([("HGETALL", key) for key in keys])
    notes = [dict(zip(fields[::2], fields[1::2], strict=True)) for fields in held]
    return await rows(made, "co_purchase", "order_count", "customer", "order"), notes


def told(outcomes: Sequence[Outcome | PoisonEvent]) -> list[str]:
    """Outcomes as they compare."""
    return [str(outcome) for outcome in outcomes]


@pytest.mark.parametrize("seed", range(30))
async def test_a_batch_comes_to_what_its_returns_come_to_one_by_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "MAX_UNDONE", 3)
    monkeypatch.setattr(parked, "MAX_UNDONE", 3)
    monkeypatch.setattr(parked, "MAX_WAITING", 2)
    monkeypatch.setattr(returns, "ORDERS_AT_ONCE", 4)
    events = some_returns(random.Random(seed), 40)
    found = []
    for size in (1, 7, 40):
        made = await shop(MemoryStore())
        back = await made.fences.take(RETURNS, 0)
        outcomes: list[Outcome | PoisonEvent] = []
        for start in range(0, len(events), size):
            batch = list(enumerate(events))[start : start + size]
            outcomes += (await made.returns.take_back(back, batch)).outcomes
        owner = await made.fences.take(TOPIC, 0)
        owner.watermark = FIRST_PANE
        await made.orders.place(owner, list(enumerate(ORDERS))[6:])
        found.append((told(outcomes), await everything(made)))

    assert found[0] == found[1] == found[2]
    assert {"TOO_MANY_RETURNS", "ORDER_UNKNOWN"} & {word for told in found[0][0] for word in told.split()}


class Counted:
    """Counts round trips."""

    def __init__(self, store: Store) -> None:
        self.store, self.trips = store, 0

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        self.trips += 1
        return await self.store.commands(commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        self.trips += 1
        return await self.store.scripts(scripts)

    async def close(self) -> None:
        """See `Store`."""


@pytest.mark.parametrize("size", [1, 10, 90])
async def test_the_round_trips_of_a_batch_do_not_grow_with_it(
    tables: MakeTables, store: Store, size: int
) -> None:
    counting = Counted(store)
    made = tables(counting)
    await made.dictionary.remember("abcd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(n, order(str(n), "abcd", customer=f"c{n}")) for n in range(size)])
    there = [(n, returned(str(n), "a")) for n in range(size)]
    early = [(size + n, returned(f"early {n}", "a")) for n in range(min(size, 5))]
    counting.trips = 0

    taken = await made.returns.take_back(back, there + early)

    assert set(taken.outcomes) == {Outcome.TAKEN, Outcome.WAITING}
    assert counting.trips <= 7
    assert await counts(made) == recount([order(str(n), "bcd") for n in range(size)])


async def test_returns_of_one_order_in_one_batch_follow_one_another(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order("1", "aabc", customer="ann"))])
    batch = [
        *(returned("1", "a", event_id="x"), returned("1", "a", event_id="x"), returned("2", "a")),
        *(
            returned("1", "a", event_id="y"),
            returned("1", "a", event_id="z"),
            returned("1", reason="cancelled"),
        ),
    ]

    taken = await made.returns.take_back(back, list(enumerate(batch)))

    assert taken.outcomes == [
        *(Outcome.TAKEN, Outcome.REPEATED, Outcome.WAITING),
        *(Outcome.TAKEN, Outcome.NOTHING_LEFT, Outcome.TAKEN),
    ]
    assert await counts(made) == ({}, {})
    assert await rows(made, "customer") == []


async def test_an_order_that_is_placed_while_its_returns_are_on_the_way_gets_them(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    meanwhile = Meanwhile(store, 2, lambda: made.orders.place(owner, [(0, order("1", "abc"))]))

    taken = await tables(meanwhile).returns.take_back(
        back, [(0, returned("1", "a")), (1, returned("2", "a"))]
    )

    assert taken.outcomes == [Outcome.TAKEN, Outcome.WAITING]
    assert await counts(made) == recount([order("1", "bc")])


async def test_a_record_that_changed_while_a_batch_was_on_the_way_is_read_again(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner = await made.fences.take(TOPIC, 0)
    back, other = await made.fences.take(RETURNS, 0), await made.fences.take(RETURNS, 1)
    await made.orders.place(owner, [(0, order("1", "abc")), (1, order("2", "abc"))])
    meanwhile = Meanwhile(store, 3, lambda: made.returns.take_back(other, [(0, returned("1", "b"))]))

    taken = await tables(meanwhile).returns.take_back(
        back, [(0, returned("1", "a")), (1, returned("2", "a"))]
    )

    assert taken.outcomes == [Outcome.TAKEN] * 2
    assert await counts(made) == recount([order("1", "c"), order("2", "bc")])


class Meanwhile(Counted):
    """Before a given call something else happens."""

    def __init__(self, store: Store, before: int, what: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(store)
        self.before, self.what = before, what

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        answers = await super().commands(commands)
        if self.trips == self.before:
            await self.what()
        return answers


@pytest.mark.parametrize("kind", ["lost", "cut"])
@pytest.mark.parametrize("call", range(1, 8))
async def test_a_batch_cut_off_at_any_call_and_handled_again_comes_out_the_same(kind: str, call: int) -> None:
    events = list(enumerate(some_returns(random.Random(4), 30)))
    untroubled = await shop(MemoryStore())
    await untroubled.returns.take_back(await untroubled.fences.take(RETURNS, 0), events)
    failing = FailingStore(MemoryStore())
    made = await shop(failing)
    back = await made.fences.take(RETURNS, 0)
    failing.calls = 0
    setattr(failing, kind, {call})

    with pytest.raises(StateUnavailable):
        await made.returns.take_back(back, events)
    await made.returns.take_back(back, events)

    assert await everything(made) == await everything(untroubled)
