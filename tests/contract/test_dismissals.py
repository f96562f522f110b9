"""What is dismissed is remembered for the basket and the customer, bounded, and forgotten with the customer."""

from __future__ import annotations

import pytest

from stream.tables import dismissals as table
from stream.tables.dismissal_reader import DismissalReader
from stream.tables.dismissals import KEPT_MS, Asker
from stream.tables.store import Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, erased, order

ANN = Asker("b-1", "ann")
NOW = 1_767_225_600_000


async def test_the_basket_and_the_customer_both_remember(tables: MakeTables) -> None:
    made = tables()
    await made.dismissals.remember(
        [(ANN, "tea", NOW), (ANN, "cup", NOW + 5), (Asker("b-2", None), "pot", NOW)]
    )
    await made.dismissals.remember([(ANN, "tea", NOW - 9), (Asker(None, "ann"), "milk", NOW)])
    used = await made.dismissals.used()

    found = await made.dismissals.of(
        [
            ANN,
            Asker("b-1", None),
            Asker("b-2", "bob"),
            Asker("b-3", "ann"),
            Asker(None, None),
            Asker("ann", None),
        ],
        used,
    )

    ann = {"tea": NOW, "cup": NOW + 5, "milk": NOW}
    assert found == [ann, {"tea": NOW, "cup": NOW + 5}, {"pot": NOW}, ann, {}, {}]
    assert await made.dismissals.of([ANN], frozenset()) == [{}]


async def test_the_latest_fifty_are_kept_and_no_more_askers_than_there_is_room_for(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tables(tags=1)
    await made.dismissals.remember([(Asker("b", None), f"sku-{n:02}", NOW + n) for n in range(60)])
    monkeypatch.setattr(table, "MOST_A_TAG", 1)
    await made.dismissals.remember([(Asker("other", None), "tea", NOW), (Asker("b", None), "tea", NOW + 99)])

    kept, none = await made.dismissals.of(
        [Asker("b", None), Asker("other", None)], await made.dismissals.used()
    )

    assert sorted(kept) == [*(f"sku-{n}" for n in range(11, 60)), "tea"]
    assert none == {}


async def test_what_no_policy_can_hold_against_a_product_is_let_go(tables: MakeTables, store: Store) -> None:
    made = tables()
    await made.dismissals.remember([(ANN, "tea", NOW), (Asker("b-9", None), "cup", NOW + 1)])

    await made.dismissals.let_go(NOW + KEPT_MS)

    used = await made.dismissals.used()
    assert await made.dismissals.of([ANN, Asker("b-9", None)], used) == [{}, {"cup": NOW + 1}]
    left = await store.commands([("ZCARD", made.keys.dismissals(tag)) for tag in range(4)])
    assert sum(left) == 1


async def test_an_erased_customer_dismissed_nothing_but_what_came_after(tables: MakeTables) -> None:
    made = tables()
    eraser = await made.fences.take("customer-erased", 0)
    await made.dismissals.remember(
        [(Asker(None, "ann"), "tea", NOW), (Asker(None, "ann"), "cup", NOW + 90_000_000)]
    )
    await made.dismissals.remember([(Asker(None, "bob"), "tea", NOW), (Asker(None, "eve"), "tea", NOW)])

    events = [erased("ann", day=0.5), erased("bob", day=0.5, event_id="e2")]
    await made.erasures.erase(eraser, list(enumerate(events)), FIRST_PANE + 1, NOW)

    askers = [Asker(None, name) for name in ("ann", "bob", "eve")]
    assert await made.dismissals.of(askers, await made.dismissals.used()) == [
        {"cup": NOW + 90_000_000},
        {},
        {"tea": NOW},
    ]


async def test_a_shop_without_dismissals_is_asked_once_in_a_while(tables: MakeTables) -> None:
    made = tables()
    reader = DismissalReader(made, max_age_s=1.0)
    events = [order("1", "ab", customer="ann"), order("2", "ab")]

    assert await reader.of(events, 0.0) == [{}, {}]
    await made.dismissals.remember([(ANN, "tea", NOW)])
    assert await reader.of(events, 0.5) == [{}, {}]
    assert await reader.of(events, 1.5) == [{"tea": NOW}, {}]
    made.begin_again()
    assert await reader.of(events, 1.6) == [{"tea": NOW}, {}]
