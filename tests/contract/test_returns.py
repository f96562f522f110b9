"""Returns take away what their order added, once an event: sent twice, early, late, or cut off anywhere."""

from __future__ import annotations

import pytest

from stream.errors import PoisonEvent, StateUnavailable, Superseded
from stream.tables import order_record, parked, returns
from stream.tables.returns import Outcome
from stream.tables.store import Store
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

RETURNS = "order-returned"


async def test_a_return_sent_twice_takes_its_pieces_once(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    twice = order("1", "aab", customer="ann")
    await made.orders.place(owner, [(0, twice)])

    first = await take_back(made, back, 0, returned("1", "a", event_id="once"))
    second = await take_back(made, back, 1, returned("1", "a", event_id="once"))
    assert (first, second) == (Outcome.TAKEN, Outcome.REPEATED)
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 2_00}
    assert await counts(made) == recount([order("1", "ab")])

    third = await take_back(made, back, 2, returned("1", "a", event_id="another"))
    assert third == Outcome.TAKEN
    assert await counts(made) == recount([order("1", "b")])


async def test_a_cancelled_order_is_taken_back_whole(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order("1", "abc", customer="ann")), (1, order("2", "ab"))])

    await take_back(made, back, 0, returned("1", reason="cancelled"))
    again = await take_back(made, back, 1, returned("1", "a"))

    assert again == Outcome.NOTHING_LEFT
    assert await counts(made) == recount([order("2", "ab")])
    assert await rows(made, "customer") == []


async def test_returns_that_come_before_their_order_wait_and_are_applied_with_it(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    for offset, early in enumerate([returned("1", "a"), returned("1", "a"), returned("1", "b")]):
        assert await take_back(made, back, offset, early) == Outcome.WAITING

    await made.orders.place(owner, [(0, order("1", "abc", customer="ann")), (1, order("2", "ab"))])

    assert await counts(made) == recount([order("1", "c"), order("2", "ab")])
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 1_00}
    late = await take_back(made, back, 3, returned("1", "b"))
    assert late == Outcome.REPEATED
    for tag in range(4):
        assert not (await store.commands([("HKEYS", made.keys.parked(tag))]))[0]
        assert not (await store.commands([("ZCARD", made.keys.waiting(tag))]))[0]


async def test_a_whole_return_before_its_order_leaves_no_trace_of_the_customer(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await take_back(made, back, 0, returned("1"))

    await made.orders.place(owner, [(0, order("1", "ab", customer="ann", price=600_00))])

    assert await counts(made) == ({}, {})
    assert await rows(made, "customer") == []
    assert await made.outbox.waiting() == []
    for tag in range(4):
        assert not (await store.commands([("ZCARD", made.keys.due(tag))]))[0]


async def test_a_return_whose_order_never_came_is_given_up_after_a_window(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    back = await made.fences.take(RETURNS, 0)
    await take_back(made, back, 0, returned("never"))
    await take_back(made, back, 1, returned("never", "a", day=1))
    await take_back(made, back, 2, returned("nor this", day=2))

    assert await made.parked.give_up(FIRST_PANE + 1) == 0
    assert await made.parked.give_up(FIRST_PANE + 2) == 2
    assert await made.parked.give_up(FIRST_PANE + 2) == 0
    assert await made.parked.give_up(FIRST_PANE + 3) == 1
    for tag in range(4):
        assert not (await store.commands([("HKEYS", made.keys.parked(tag))]))[0]


async def test_when_too_many_returns_wait_the_next_is_a_dead_letter(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "MAX_WAITING", 1)
    made = tables(tags=1)
    back = await made.fences.take(RETURNS, 0)
    await take_back(made, back, 0, returned("1"))
    await take_back(made, back, 1, returned("1", "a"))

    with pytest.raises(PoisonEvent) as poison:
        await take_back(made, back, 2, returned("2"))

    assert poison.value.code == "ORDER_UNKNOWN"


@pytest.mark.parametrize("early", [True, False])
async def test_more_returns_of_one_order_than_are_kept_are_dead_letters(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    assert order_record.MAX_UNDONE == 100
    monkeypatch.setattr(returns, "MAX_UNDONE", 2)
    monkeypatch.setattr(parked, "MAX_UNDONE", 2)
    made = tables()
    await made.dictionary.remember("abcd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    if not early:
        await made.orders.place(owner, [(0, order("1", "abcd"))])
    for offset, sku in enumerate("ab"):
        await take_back(made, back, offset, returned("1", sku))

    with pytest.raises(PoisonEvent) as poison:
        await take_back(made, back, 2, returned("1", "c"))

    assert poison.value.code == "TOO_MANY_RETURNS"
    await made.orders.place(owner, [(0, order("1", "abcd"))])
    assert await counts(made) == recount([order("1", "cd")])


async def test_a_return_is_too_late_while_its_orders_pane_is_being_expired(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    slow, fast = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    back = await made.fences.take(RETURNS, 0)
    await made.orders.place(slow, [(0, order("1", "ab"))])
    slow.handled(0)
    await made.orders.place(fast, [(0, order("2", "cd", day=9))])
    await made.expiry.expire(slow, FIRST_PANE + 9)

    assert await take_back(made, back, 0, returned("1")) == Outcome.TOO_LATE


async def test_a_return_that_is_read_once_its_orders_pane_is_over_leaves_the_account_as_it_is(
    tables: MakeTables,
) -> None:
    """An order in time for its own partition, in a pane that is over for another: a return made in the order's window
    counts as long as it is read before the pane is taken away. Until its window ends, the account keeps the rest."""
    made = tables()
    await made.dictionary.remember("abcd")
    slow, fast = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    back = await made.fences.take(RETURNS, 0)
    await made.orders.place(fast, [(0, order("2", "cd", day=3))])
    await made.orders.place(slow, [(0, order("1", "abc", customer="ann"))])
    slow.handled(0)

    outcomes = [await take_back(made, back, 0, returned("1", "a", day=1))]
    await made.expiry.expire(slow, FIRST_PANE + 3)
    outcomes.append(await take_back(made, back, 1, returned("1", "b", day=1)))
    await made.expiry.expire(slow, FIRST_PANE + 3)

    assert outcomes == [Outcome.TAKEN, Outcome.TOO_LATE]
    assert await counts(made) == recount([order("2", "cd", day=3)])
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 2_00}
    assert (await rows(made, "diary"))[0]["purchases"] == [[sku, FIRST_PANE, 1] for sku in "bc"]


@pytest.mark.parametrize("early", [True, False])
async def test_a_return_made_after_its_orders_window_takes_nothing_whenever_it_is_read(
    tables: MakeTables, early: bool
) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    too_late, in_time = returned("1", day=3, event_id="x"), returned("1", "a", day=2)
    if not early:
        await made.orders.place(owner, [(0, order("1", "ab", customer="ann"))])
    outcomes = [await take_back(made, back, n, e) for n, e in enumerate([too_late, in_time])]
    if early:
        await made.orders.place(owner, [(0, order("1", "ab", customer="ann"))])

    assert outcomes == ([Outcome.WAITING] * 2 if early else [Outcome.TOO_LATE, Outcome.TAKEN])
    assert await counts(made) == recount([order("1", "b")])
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 1_00}


async def test_a_worker_that_lost_its_partition_takes_nothing_back(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner, zombie = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order("1", "ab"))])
    await made.fences.take(RETURNS, 0)

    with pytest.raises(Superseded):
        await take_back(made, zombie, 0, returned("1"))
    with pytest.raises(Superseded):
        await take_back(made, zombie, 1, returned("early"))

    assert await counts(made) == recount([order("1", "ab")])


async def test_what_a_return_left_to_do_is_done_before_its_pane_is_dropped(
    tables: MakeTables, store: Store
) -> None:
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order("1", "abc", customer="ann")), (1, order("2", "c", day=9))])
    owner.handled(1)
    failing.calls, failing.lost = 0, {4}  # written down in the record, and nothing taken away

    with pytest.raises(StateUnavailable):
        await take_back(made, back, 0, returned("1", "c"))
    await made.expiry.expire(owner, FIRST_PANE + 9)

    assert await counts(made) == recount([order("2", "c")])
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 2_00}


@pytest.mark.parametrize("kind", ["lost", "cut"])
@pytest.mark.parametrize("call", range(1, 14))
async def test_returns_around_their_order_cut_off_at_any_call_come_out_the_same(
    tables: MakeTables, store: Store, kind: str, call: int
) -> None:
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abcdef")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    orders = [order("1", "abcd", customer="ann"), order("2", "ef", customer="bob"), order("3", "af")]
    failing.calls = 0
    setattr(failing, kind, {call, call + 3})

    for _ in range(4):
        try:
            await take_back(made, back, 0, returned("1", "a"))
            await made.orders.place(owner, list(enumerate(orders)))
            await take_back(made, back, 1, returned("1", "a"))
            await take_back(made, back, 2, returned("2", "e"))
        except StateUnavailable:
            owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
            continue
        break

    failing.lost, failing.cut = set(), set()
    assert await counts(made) == recount([order("1", "bcd"), order("2", "f"), orders[2]])
    assert [(r["customer_id"], r["spend"]["EUR"]) for r in await rows(made, "customer")] == [
        ("ann", 3_00),
        ("bob", 1_00),
    ]
