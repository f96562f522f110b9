"""Accounts, tiers, the sweep, and the messages they post."""

from __future__ import annotations

from stream.tables.store import Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, order, returned, rows, take_back


async def test_a_tier_rises_at_once_and_the_change_is_posted_with_a_stable_id(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)

    placed = await made.orders.place(owner, [(0, order("1", "ab", customer="ann", price=60_00))])
    waiting = await made.outbox.waiting(placed.applied.posted_tags)

    assert [(p.message.from_tier, p.message.to_tier, p.message.spend) for p in waiting] == [
        ("none", "bronze", {"EUR": 120_00})
    ]
    assert await made.outbox.waiting() == waiting
    await made.outbox.done(waiting)
    assert await made.outbox.waiting() == []


async def test_a_tier_falls_only_below_eight_tenths_of_its_threshold(tables: MakeTables) -> None:
    made = tables()
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    await made.orders.place(
        owner,
        [
            (0, order("1", "a", customer="ann", price=80_00)),
            (1, order("2", "b", customer="ann", price=20_00)),
            (2, order("3", "c", customer="ann", price=1)),
        ],
    )

    await take_back(made, back, 0, returned("2"))
    assert (await rows(made, "customer"))[0]["tier"] == "bronze"
    await take_back(made, back, 1, returned("3"))
    assert (await rows(made, "customer"))[0]["tier"] == "bronze"
    await take_back(made, back, 2, returned("1"))

    assert await rows(made, "customer") == []
    assert (await made.customers.known(["ann"]))["ann"].tier == "none"


async def test_spend_that_left_the_window_lowers_the_tier_without_a_new_order(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(
        owner,
        [
            (0, order("1", "a", day=0, customer="ann", price=600_00)),
            (1, order("2", "b", day=2, customer="ann", price=100_00)),
            (2, order("3", "b", day=0, customer="bob", price=100_00)),
        ],
    )
    await made.outbox.done(await made.outbox.waiting())

    posted = await made.customers.sweep(FIRST_PANE + 1)

    assert {p.message.customer_id: p.message.to_tier for p in await made.outbox.waiting(posted)} == {
        "ann": "bronze",
        "bob": "none",
    }
    assert await rows(made, "customer") == [
        {"table": "customer", "customer_id": "ann", "orders": 1, "spend": {"EUR": 100_00}, "tier": "bronze"}
    ]
    assert await made.customers.sweep(FIRST_PANE + 1) == []


async def test_a_sweep_with_nothing_left_forgets_the_customer(tables: MakeTables, store: Store) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order("1", "a", customer="ann", price=600_00))])

    await made.customers.sweep(FIRST_PANE + 9)

    assert await rows(made, "customer") == []
    for tag in range(4):
        assert not (await store.commands([("HGETALL", made.keys.tiers(tag))]))[0]
        assert not (await store.commands([("ZCARD", made.keys.due(tag))]))[0]


async def test_the_latest_profile_wins_and_a_tier_set_by_hand_wins_over_spend(tables: MakeTables) -> None:
    made = tables()
    head = b'{"event_id":"e","occurred_at":"2026-01-01T00:00:00Z","customer_id":"ann","tier_override":'
    await made.customers.put(0, [(5, "ann", head + b'"gold"}'), (4, "ann", head + b'"silver"}')])

    known = await made.customers.known(["ann", "nobody"])

    assert (known["ann"].tier, known["nobody"].tier) == ("gold", "none")
    await made.customers.put(0, [(6, "ann", b"")])
    assert (await made.customers.known(["ann"]))["ann"].profile is None
