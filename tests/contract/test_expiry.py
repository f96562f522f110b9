"""Orders that left the window are taken away exactly, also when expiry is cut off and begun again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream.errors import StateUnavailable
from stream.tables.dump import scan
from stream.tables.store import Command, Script, Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import (
    FIRST_PANE,
    TOPIC,
    FailingStore,
    counts,
    order,
    recount,
    returned,
    rows,
    take_back,
)


async def test_a_pane_that_left_the_window_is_subtracted_and_forgotten(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order("1", "abc", day=0), order("2", "ab", day=1), order("3", "bc", day=3)]
    await made.orders.place(owner, list(enumerate(orders)))
    owner.handled(2)

    gone = await made.expiry.expire(owner, FIRST_PANE + 3)

    assert gone == 1
    assert await counts(made) == recount(orders[1:])
    assert [row["order_id"] for row in await rows(made, "order")] == ["2", "3"]


async def test_once_everything_expired_no_count_is_left(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcdef")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order(str(i), skus, day=i / 7) for i, skus in enumerate(["abc", "de", "f", "abcdef"] * 5)]
    await made.orders.place(owner, list(enumerate(orders)))
    owner.handled(len(orders) - 1)

    await made.expiry.expire(owner, FIRST_PANE + 30)

    assert await counts(made) == ({}, {})


async def test_a_watermark_that_has_moved_on_since_the_window_was_asked_for_passes_no_pane_by(
    tables: MakeTables,
) -> None:
    """Orders go on while upkeep asks where the window ends; a backlog moves days in that moment."""
    made = tables()
    await made.dictionary.remember("ab")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order(str(day), "ab", day=day) for day in range(13)]
    await made.orders.place(owner, list(enumerate(orders)))
    owner.handled(12)

    for end in (4, 12, 12):
        await made.expiry.expire(owner, FIRST_PANE + end)

    assert await counts(made) == recount(orders[10:])


async def test_an_order_in_time_for_its_own_partition_is_added_and_expired_again(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    slow, fast = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    await made.orders.place(slow, [(0, order("1", "ab", day=0))])
    slow.handled(0)
    await made.orders.place(fast, [(0, order("2", "cd", day=9))])
    await made.expiry.expire(slow, FIRST_PANE + 9)

    await made.orders.place(slow, [(1, order("3", "ab", day=0))])
    slow.handled(1)
    assert (await counts(made))[1] == {"a": 1, "b": 1, "c": 1, "d": 1}
    await made.expiry.expire(slow, FIRST_PANE + 9)

    assert await counts(made) == recount([order("2", "cd")])


async def test_a_return_for_a_pane_that_is_being_expired_takes_nothing(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    slow, fast = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    back = await made.fences.take("order-returned", 0)
    await made.orders.place(slow, [(0, order("1", "ab"))])
    slow.handled(0)
    await made.orders.place(fast, [(0, order("2", "cd", day=9))])
    await made.expiry.expire(slow, FIRST_PANE + 9)

    await take_back(made, back, 0, returned("1"))

    assert await counts(made) == recount([order("2", "cd")])


@pytest.mark.parametrize("kind", ["lost", "cut"])
@pytest.mark.parametrize("call", range(1, 12))
async def test_expiry_cut_off_at_any_call_resumes_and_never_subtracts_twice(
    tables: MakeTables, store: Store, kind: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.tables.expiry.STEP_ORDERS", 2)
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abcdef")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order(str(i), skus) for i, skus in enumerate(["abc", "ab", "cd", "def", "af"])]
    orders += [order("9", "abcdef", day=5)]
    await made.orders.place(owner, list(enumerate(orders)))
    failing.calls = 0
    setattr(failing, kind, {call})

    for _ in range(3):
        try:
            owner = await made.fences.take(TOPIC, 0)
            owner.handled(5)
            owner.watermark = FIRST_PANE + 5
            await made.expiry.expire(owner, FIRST_PANE + 5)
        except StateUnavailable:
            continue

    assert await counts(made) == recount(orders[-1:])


class OneNodeAway:
    """The first UNLINK finds its node gone; the other commands of that call are carried out by theirs."""

    def __init__(self, store: Store) -> None:
        self.store, self.away = store, True

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        unlinks = [i for i, command in enumerate(commands) if command[0] == "UNLINK"]
        if not (self.away and unlinks):
            return await self.store.commands(commands)
        self.away = False
        await self.store.commands([command for i, command in enumerate(commands) if i != unlinks[0]])
        raise StateUnavailable("one node is away")

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        return await self.store.scripts(scripts)

    async def close(self) -> None:
        """See `Store`."""


async def test_no_part_of_a_pane_is_left_behind_when_one_node_of_a_cluster_is_away(
    tables: MakeTables, store: Store
) -> None:
    made = tables(OneNodeAway(store))
    await made.dictionary.remember("abcdef")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order(str(i), "abc") for i in range(20)]
    await made.orders.place(owner, list(enumerate(orders)))
    owner.handled(19)
    owner.watermark = FIRST_PANE + 9

    with pytest.raises(StateUnavailable):
        await made.expiry.expire(owner, FIRST_PANE + 9)
    await made.expiry.expire(owner, FIRST_PANE + 9)

    assert await rows(made, "order") == []
    assert [family for family in await scan(made) if family == "pane"] == []


async def test_expiry_waits_until_a_replay_has_caught_up(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order("1", "ab"))])

    again = await made.fences.take(TOPIC, 0)

    assert await made.expiry.expire(again, FIRST_PANE + 9) == 0
    again.handled(0)
    assert await made.expiry.expire(again, FIRST_PANE + 9) == 1
