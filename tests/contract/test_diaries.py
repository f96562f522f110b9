"""What a customer bought and when: added with the order, taken back with it, swept and erased with the account."""

from __future__ import annotations

from contextlib import suppress
from itertools import permutations
from string import ascii_letters

import pytest

from stream.errors import StateUnavailable
from stream.tables.diary import ENTRY_BYTES, MOST_ENTRIES, compacted, entries, purchases, sums
from stream.tables.ids import customer_id, sku_id, tag_of
from stream.tables.inspection import inspect_customer
from stream.tables.store import Store
from stream.tables.tables import Tables
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, FailingStore, erased, order, returned, rows, take_back

RETURNED, ERASED = "order-returned", "customer-erased"
LINES = ascii_letters[:50]
NAMES = {sku_id(sku).hex(): sku for sku in ascii_letters}
"""The tables write down no SKU that nobody asked them to."""


async def bought(made: Tables, name: str = "ann") -> list[tuple[str, int, int]] | None:
    """(SKU, day, times) of a customer's diary; None for one that is full."""
    found = {row["customer_id"]: row["purchases"] for row in await rows(made, "diary")}.get(name, [])
    if found is None:
        return None
    return sorted((NAMES[sku], pane - FIRST_PANE, times) for sku, pane, times in found)


async def raw(made: Tables, name: str = "ann") -> bytes | None:
    ident = customer_id(name)
    held: bytes | None = (
        await made.store.commands([("GET", made.keys.diary(tag_of(ident, made.layout.tags), ident))])
    )[0]
    return held


async def test_an_order_is_in_its_customers_diary_and_in_nobody_elses(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    placed = [order("1", "ab", customer="ann"), order("2", "ac", day=1, customer="ann"), order("3", "z")]
    placed += [order("4", "aab", day=1, customer="ann"), order("5", "y", customer="bob")]

    await made.orders.place(owner, list(enumerate(placed)))

    assert await bought(made) == [("a", 0, 1), ("a", 1, 2), ("b", 0, 1), ("b", 1, 1), ("c", 1, 1)]
    assert await bought(made, "bob") == [("y", 0, 1)]
    found = (await made.diaries.read(["ann", "bob", "carl"]))["bob"]
    assert purchases(found) == ([sku_id("y")], [FIRST_PANE])
    shown = await inspect_customer(made, "bob")
    assert shown is not None
    assert shown["purchases"] == [[sku_id("y").hex(), FIRST_PANE, 1]]


async def test_a_replay_and_a_duplicate_add_nothing(tables: MakeTables) -> None:
    made = tables()
    placed = [(0, order("1", "ab", customer="ann")), (1, order("1", "ab", customer="ann"))]
    await made.orders.place(await made.fences.take(TOPIC, 0), placed)

    await made.orders.place(await made.fences.take(TOPIC, 0), placed)

    assert await bought(made) == [("a", 0, 1), ("b", 0, 1)]


async def test_what_comes_back_leaves_the_diary_with_its_last_piece(tables: MakeTables) -> None:
    made = tables()
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNED, 0)
    await made.orders.place(
        owner, [(0, order("1", "aab", customer="ann")), (1, order("2", "bc", day=1, customer="ann"))]
    )

    await take_back(made, back, 0, returned("1", "a"))
    assert await bought(made) == [("a", 0, 1), ("b", 0, 1), ("b", 1, 1), ("c", 1, 1)]
    await take_back(made, back, 1, returned("1", "a", event_id="again"))
    assert await bought(made) == [("b", 0, 1), ("b", 1, 1), ("c", 1, 1)]
    await take_back(made, back, 2, returned("2", reason="cancelled"))
    assert await bought(made) == [("b", 0, 1)]
    await take_back(made, back, 3, returned("1"))
    assert await bought(made) == []
    assert await raw(made) is None


async def test_a_return_that_comes_before_its_order_leaves_what_was_kept(tables: MakeTables) -> None:
    made = tables()
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNED, 0)
    await take_back(made, back, 0, returned("1", "b"))

    await made.orders.place(owner, [(0, order("1", "abc", customer="ann"))])

    assert await bought(made) == [("a", 0, 1), ("c", 0, 1)]


async def test_the_sweep_takes_what_left_the_customer_window_and_packs_the_rest(tables: MakeTables) -> None:
    made = tables()
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNED, 0)
    await made.orders.place(
        owner,
        [(n, order(str(n), "ab", day=n // 2, customer="ann")) for n in range(6)],
    )
    await take_back(made, back, 0, returned("5", "b"))

    await made.customers.sweep(FIRST_PANE + 1)

    assert await bought(made) == [("a", 1, 2), ("a", 2, 2), ("b", 1, 2), ("b", 2, 1)]
    assert len(await raw(made) or b"") == 4 * ENTRY_BYTES
    await made.customers.sweep(FIRST_PANE + 3)
    assert await raw(made) is None


async def test_an_erasure_wipes_the_diary_and_what_comes_late_stays_away(tables: MakeTables) -> None:
    made = tables()
    owner, wish = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    await made.orders.place(
        owner, [(0, order("1", "ab", customer="ann")), (1, order("2", "c", day=1, customer="ann"))]
    )

    await made.erasures.erase(wish, [(0, erased("ann", day=1.5))], FIRST_PANE + 1, 0)
    assert await raw(made) is None
    await made.orders.place(
        owner, [(2, order("3", "d", customer="ann")), (3, order("4", "e", day=1.7, customer="ann"))]
    )

    assert await bought(made) == [("e", 1, 1)]


@pytest.mark.parametrize("lost", range(1, 7))
async def test_a_lost_answer_adds_no_purchase_twice(tables: MakeTables, store: Store, lost: int) -> None:
    made = tables(FailingStore(store, lost=[]))
    failing = made.store
    assert isinstance(failing, FailingStore)
    owner = await made.fences.take(TOPIC, 0)
    placed = [(n, order(str(n), "abc", day=n % 3, customer="ann")) for n in range(4)]
    failing.lost = {failing.calls + lost}

    for _ in range(3):
        with suppress(StateUnavailable):
            await made.orders.place(owner, placed)

    assert await bought(made) == [(sku, day, 2 if day == 0 else 1) for sku in "abc" for day in range(3)]


async def test_a_diary_that_would_be_too_long_is_given_up_and_counted_once(tables: MakeTables) -> None:
    made = tables()
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNED, 0)
    most = MOST_ENTRIES // len(LINES)
    orders = [(n, order(str(n), LINES, customer="till")) for n in range(most + 2)]

    held = await made.orders.place(owner, orders[:most])
    assert held.applied.full_diaries == 0
    assert await bought(made, "till") == sorted((sku, 0, most) for sku in LINES)
    over = await made.orders.place(owner, orders[most : most + 1])
    more = await made.orders.place(owner, orders[most + 1 :])

    assert (over.applied.full_diaries, more.applied.full_diaries) == (1, 0)
    assert await bought(made, "till") is None
    await take_back(made, back, 0, returned("0"))
    assert await bought(made, "till") is None
    assert purchases((await made.diaries.read(["till"]))["till"]) == ([], [])
    await made.customers.sweep(FIRST_PANE + 1)
    assert await raw(made, "till") is None


def test_whatever_the_order_of_entries_their_sum_is_the_same() -> None:
    parts = [entries(sku_id("a"), 3, 1), entries(sku_id("a"), 3, -1), entries(sku_id("b"), -4, 1)]

    for some in permutations(parts):
        assert purchases(b"".join(some)) == ([sku_id("b")], [-4])
        assert compacted(b"".join(some), None) == parts[2]
        assert compacted(b"".join(some), -4) == b""


def test_more_than_an_entry_can_hold_takes_several() -> None:
    many = entries(sku_id("a"), 3, 1) * 300

    assert len(compacted(many, None)) == 3 * ENTRY_BYTES
    assert sums(compacted(many, None)) == sums(many)
    assert len(purchases(many).panes) == 300
