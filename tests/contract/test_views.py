"""What a batch of baskets may know is what the tables held, and never older than the maximal age."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from stream.codec import encode
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Companion, Pin, Policy
from stream.decisions.views import Views
from stream.errors import StateUnavailable
from stream.events import Complement, Line, ProductUpdated, Range
from stream.tables.store import Store
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order


def basket(*skus: str) -> Basket:
    return Basket(
        suggestion_id="s",
        basket_id="b",
        channel="web",
        currency="EUR",
        lines=[Line(sku, 1, 10_00) for sku in skus],
    )


async def put(
    tables: Tables,
    sku: str,
    price: int,
    *,
    rung: int | None = None,
    complement: str | None = None,
    category: str = "c",
) -> None:
    event = ProductUpdated(
        event_id=f"{sku}{price}",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        sku=sku,
        title=sku,
        kind="physical",
        category=[category],
        price=price,
        currency="EUR",
        range=None if rung is None else Range("r", rung),
        complements=[Complement(complement)] if complement else [],
    )
    await tables.dictionary.remember([sku])
    await tables.catalogue.put(0, [(price, sku, event, encode(event))])


async def place(tables: Tables, orders: list[str]) -> None:
    owner = await tables.fences.take(TOPIC, 0)
    first = owner.lowest_fence + 1
    await tables.dictionary.remember({sku for skus in orders for sku in skus})
    await tables.orders.place(
        owner, [(first + i, order(f"{first + i}", skus)) for i, skus in enumerate(orders)]
    )
    await tables.fences.move(owner, first + len(orders) - 1, owner.watermark)


def product_in(views: Views, sku: str) -> Product | None:
    return views.assortment.products[views.skus.index(sku)]


def together(views: Views, sku: str) -> dict[str, int]:
    """Partners of a SKU with the orders that held both."""
    row = views.lines[sku].learned
    counts = row.counts()
    return {views.skus[item]: count for item, count in zip(row.candidates(), counts, strict=True)}


async def test_views_hold_lists_products_complements_and_ladders_of_the_lines(tables: MakeTables) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["cd"] * 4 + ["e"] * 4)
    await put(made, "a", 5_00, rung=1, complement="d")
    await put(made, "a2", 7_00, rung=2)
    await put(made, "b", 3_00)

    views = await ViewReader(made, Policy(), max_age_s=1).read([basket("a"), basket("c", "x")], 0.0)

    assert together(views, "a") == {"b": 4}
    assert together(views, "c") == {"d": 4}
    assert views.lines["a"].learned.orders == 4
    assert [rung.sku for rung in views.ladders["r"].rungs] == ["a", "a2"]
    assert product_in(views, "b") is not None
    assert product_in(views, "x") is None
    assert [views.skus[item] for item in views.lines["a"].others[0].candidates()] == ["d"]


async def test_what_changed_shows_once_the_maximal_age_has_passed(tables: MakeTables) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["c"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    await reader.read([basket("a")], 0.0)
    await place(made, ["ab"] * 2)
    await put(made, "b", 9_00)

    views = await reader.read([basket("a")], 1.0)

    assert together(views, "a") == {"b": 6}
    product = product_in(views, "b")
    assert product is not None
    assert product.price == 9_00


async def test_within_the_age_nothing_is_asked_of_the_store_again(tables: MakeTables, store: Store) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["c"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    await reader.read([basket("a")], 0.0)
    await store.commands([("DEL", made.keys.layout())])
    made.neighbours = None  # type: ignore[assignment]

    views = await reader.read([basket("a")], 0.4)

    assert together(views, "a") == {"b": 4}


async def test_a_delisted_product_leaves_the_ladder_and_is_known_as_delisted(tables: MakeTables) -> None:
    made = tables()
    await put(made, "a", 5_00, rung=1)
    await put(made, "a2", 7_00, rung=2)
    reader = ViewReader(made, Policy(), max_age_s=0)
    await reader.read([basket("a")], 0.0)
    await made.catalogue.put(0, [(9_00, "a2", None, b"")])

    views = await reader.read([basket("a", "a2")], 0.0)

    assert [rung.sku for rung in views.ladders["r"].rungs] == ["a"]
    gone = product_in(views, "a2")
    assert gone is not None
    assert gone.delisted


async def test_batches_that_wait_for_a_read_share_the_next_one(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["cd"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    reads: list[int] = []
    read_lists = made.neighbours.read

    async def counted(idents: list[bytes]) -> list[bytes]:
        reads.append(len(idents))
        return await read_lists(idents)

    monkeypatch.setattr(made.neighbours, "read", counted)
    views = await asyncio.gather(*(reader.read([basket(sku)], 0.0) for sku in "abcd"))

    assert reads == [1, 3]
    assert [together(v, sku) for v, sku in zip(views, "abcd", strict=True)] == [
        {"b": 4},
        {"a": 4},
        {"d": 4},
        {"c": 4},
    ]


async def test_a_read_that_fails_fails_its_own_batch_alone(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["cd"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    read_lists, calls = made.neighbours.read, 0

    async def failing_once(idents: list[bytes]) -> list[bytes]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StateUnavailable("once")
        return await read_lists(idents)

    monkeypatch.setattr(made.neighbours, "read", failing_once)
    first, second, third = await asyncio.gather(
        *(reader.read([basket(sku)], 0.0) for sku in "abc"), return_exceptions=True
    )

    assert isinstance(first, StateUnavailable)
    assert isinstance(second, Views)
    assert isinstance(third, Views)


async def test_another_policy_shows_in_pins_complements_and_weights_from_the_next_read_on(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["ac"] * 4 + ["d"] * 4)
    await put(made, "pin", 5_00)
    reader = ViewReader(made, Policy(), max_age_s=1)
    before = await reader.read([basket("a")], 0.0)

    reader.use(
        Policy(boosts={"b": 2.0}, pins=(Pin("pin"),), complements=(Companion("a", "pin"),)),
    )
    after = await reader.read([basket("a")], 0.0)

    def weights(views: Views, row: NeighbourRow | None) -> dict[str, float]:
        assert row is not None
        return {views.skus[item]: w for item, w in row.weights().items()}

    learned, before_learned = after.lines["a"].learned, before.lines["a"].learned

    assert before.pins == {}
    assert before.policy == Policy()
    assert after.policy.pins == (Pin("pin"),)
    assert weights(after, learned)["b"] == pytest.approx(2 * weights(before, before_learned)["b"], abs=1e-8)
    assert weights(after, learned)["c"] == weights(before, before_learned)["c"]
    assert weights(after, after.lines["a"].others[0]) == {"pin": 1.0}
    pinned = after.assortment.products[after.pins["pin"]]
    assert pinned is not None
    assert pinned.price == 5_00
