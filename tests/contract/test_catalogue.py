"""Catalogue, dictionary, layout and keys."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from stream.errors import OperatorError
from stream.events import ProductUpdated, Range
from stream.tables.dump import scan
from stream.tables.ids import sku_id, tag_of
from stream.tables.keys import LAYOUT_VERSION
from stream.tables.layout import read_layout
from stream.tables.neighbours import unpack
from stream.tables.store import Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order


def product(sku: str, price: int, held: str | None = None) -> tuple[ProductUpdated, bytes]:
    """A product event and its bytes."""
    event = ProductUpdated(
        event_id=f"{sku}-{price}",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        sku=sku,
        title=sku.upper(),
        kind="physical",
        category=["c"],
        price=price,
        currency="EUR",
        range=Range(held, 1) if held else None,
    )
    return event, msgspec.json.encode(event)


async def test_the_product_of_the_later_record_stands(tables: MakeTables) -> None:
    made = tables()
    old, new = product("a", 1), product("a", 2)

    await made.catalogue.put(0, [(7, "a", *new)])
    await made.catalogue.put(0, [(3, "a", *old)])

    assert await made.catalogue.products([sku_id("a"), sku_id("b")]) == [new[1], None]


async def test_a_product_moves_between_ranges_and_leaves_when_delisted(tables: MakeTables) -> None:
    made = tables()
    await made.catalogue.put(0, [(1, "a", *product("a", 1, "tv")), (2, "b", *product("b", 1, "tv"))])
    await made.catalogue.put(0, [(3, "a", *product("a", 1, "radio"))])
    assert await made.catalogue.ladder_members(["tv", "radio"]) == {
        "tv": [sku_id("b")],
        "radio": [sku_id("a")],
    }

    await made.catalogue.put(0, [(4, "b", None, b"")])

    assert await made.catalogue.ladder_members(["tv"]) == {"tv": []}
    assert await made.catalogue.products([sku_id("b")]) == [b""]


async def test_an_id_that_stands_for_another_sku_is_reported(tables: MakeTables, store: Store) -> None:
    made = tables()
    tag = tag_of(sku_id("a"), 4)
    await store.commands([("HSET", made.keys.skus(tag), sku_id("a"), b"another")])

    assert await made.dictionary.remember(["a", "b"]) == {"a"}
    assert await made.dictionary.remember(["a", "b"]) == {"a"}
    assert await made.dictionary.names([sku_id("b"), sku_id("c")]) == {sku_id("b"): "b"}


async def test_tables_made_with_other_settings_are_refused(tables: MakeTables, store: Store) -> None:
    assert await tables().open() is True
    assert await tables().open() is False

    with pytest.raises(OperatorError, match="tags is 4, asked for 8"):
        await tables(tags=8).open()

    assert (await read_layout(store, tables().keys)) == tables().layout.fields()


@pytest.mark.parametrize(("theirs", "made_by"), [("3", "a newer"), ("1", "an older")])
async def test_tables_of_another_layout_version_are_refused_and_left_as_they_are(
    tables: MakeTables, store: Store, theirs: str, made_by: str
) -> None:
    made = tables()
    await store.commands([("HSET", made.keys.layout(), "version", theirs, "shelves", 7)])

    with pytest.raises(
        OperatorError, match=f"layout {theirs}, made by {made_by} basketstream.*layout {LAYOUT_VERSION}"
    ) as error:
        await made.open()

    assert "tables rebuild" in error.value.remedy
    assert not await made.is_new()
    assert await read_layout(store, made.keys) == {"version": int(theirs), "shelves": 7}


async def test_no_name_can_leave_the_namespace_or_choose_its_slot(tables: MakeTables, store: Store) -> None:
    made = tables()
    odd = ["{x}", "a:b", "}{t999}", "\u202e\u05d0", "🛒", "__proto__", "redis.call('FLUSHALL')", "*", "%s"]
    await made.dictionary.remember(odd)
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(i, order(name, odd, customer=name)) for i, name in enumerate(odd)])
    await store.commands([("SADD", b"other:key", "x")])

    found = await scan(made)

    for family, keys in found.items():
        for tag, _, key in keys:
            assert key.startswith(b"bs:v2:{"), family
            assert 0 <= tag < 4


async def test_best_partners_come_packed_by_count_then_id_and_fresh_after_a_write(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order("1", "abc")), (1, order("2", "ab"))])
    first = await made.neighbours.read([sku_id("a"), sku_id("x")])

    await made.orders.place(owner, [(2, order("3", "ac")), (3, order("4", "ac"))])
    second = await made.neighbours.read([sku_id("a")])

    assert [_plain(raw) for raw in first] == [(2, [("b", 2), ("c", 1)]), (0, [])]
    assert _plain(second[0]) == (4, [("c", 3), ("b", 2)])
    assert await made.neighbours.total_orders() == 4
    assert await made.neighbours.order_counts([sku_id("b"), sku_id("c"), sku_id("x")]) == [2, 3, 0]


def _plain(raw: bytes) -> tuple[int, list[tuple[str, int]]]:
    names = {sku_id(sku): sku for sku in "abc"}
    orders, partners, together = unpack(raw)
    return orders, [(names[p], int(n)) for p, n in zip(partners, together, strict=True)]
