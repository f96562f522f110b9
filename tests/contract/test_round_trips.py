"""What a batch asks of the store: so many round trips and commands, however many orders or baskets it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.decisions.policy import Policy
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Command, Script
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.orders import TOPIC, order
from tests.contract.test_views import basket, place, put

TAGS = 4


class CountingStore(MemoryStore):
    """The store in memory, and what was asked of it: the commands of each round trip."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        if commands:
            self.asked.append(len(commands))
        return await super().commands(commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        if scripts:
            self.asked.append(len(scripts))
        return await super().scripts(scripts)


def tables_on(store: CountingStore) -> Tables:
    return Tables(store, load_settings({}, tags=TAGS))


async def asked_for_orders(
    tables: Tables, store: CountingStore, orders: int, customer: str | None
) -> list[int]:
    owner = await tables.fences.take(TOPIC, 0)
    placed = [(at, order(f"o{at}", "abcde"[at % 4 :], customer=customer)) for at in range(orders)]
    await tables.dictionary.remember("abcde")
    store.asked.clear()
    await tables.orders.place(owner, placed)
    return store.asked


async def test_orders_without_customers_are_claimed_and_applied_in_two_round_trips() -> None:
    store = CountingStore()

    asked = await asked_for_orders(tables_on(store), store, 80, None)

    assert asked == [TAGS, TAGS], "one claim a tag, one application a tag"


async def test_customers_add_one_round_trip_to_a_batch_of_orders() -> None:
    store = CountingStore()

    asked = await asked_for_orders(tables_on(store), store, 80, "ann")

    assert len(asked) == 3
    assert max(asked) <= TAGS


async def test_skus_that_are_known_are_not_written_down_again() -> None:
    store = CountingStore()
    made = tables_on(store)
    await made.dictionary.remember("abc")
    store.asked.clear()

    await made.dictionary.remember("abca")

    assert store.asked == []


async def warm(tables: Tables) -> ViewReader:
    """A reader that has read four lines with their partners, products and a ladder."""
    await place(tables, ["abcd"] * 5 + ["ef"] * 5)
    await put(tables, "a", 5_00, rung=1, complement="d")
    await put(tables, "b", 7_00, rung=2)
    reader = ViewReader(tables, Policy(), max_age_s=1)
    await reader.read([basket(*"abcd")], 0.0)
    return reader


async def test_a_warm_batch_of_baskets_asks_nothing() -> None:
    store = CountingStore()
    reader = await warm(tables_on(store))
    store.asked.clear()

    await reader.read([basket(*"abcd")] * 500, 0.4)

    assert store.asked == []


async def test_a_batch_whose_lines_are_to_be_read_again_asks_as_much_for_many_baskets_as_for_one() -> None:
    asked = []
    for baskets in (1, 500):
        store = CountingStore()
        reader = await warm(tables_on(store))
        store.asked.clear()
        await reader.read([basket(*"abcd")] * baskets, 1.0)
        asked.append(store.asked)

    assert asked[0] == asked[1]
    assert len(asked[0]) <= 9, asked[0]
    assert sum(asked[0]) <= 12 * TAGS, asked[0]
