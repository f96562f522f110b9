"""A customer who asks is forgotten: as if never there, whatever comes late, is replayed or cut off."""

from __future__ import annotations

import pytest

from stream.errors import StateUnavailable
from stream.tables.orders import Verdict
from stream.tables.proofs import proof_id
from stream.tables.returns import Outcome
from stream.tables.store import Store
from stream.tables.tables import Tables
from tests.contract.conftest import MakeTables
from tests.contract.orders import (
    FIRST_PANE,
    TOPIC,
    FailingStore,
    counts,
    erased,
    order,
    recount,
    returned,
    rows,
    take_back,
)

ERASED = "customer-erased"
NOW_MS = 1_767_500_000_000
PROFILE = (
    b'{"event_id":"e","occurred_at":"2026-01-01T00:00:00Z","customer_id":"%s","aliases":["annie"],'
    b'"tier_override":"gold"}'
)


async def everything(made: Tables, store: Store) -> bytes:
    """All keys and values of the namespace, as one text to search."""
    keys = (await store.commands([("SCAN", 0, "MATCH", made.keys.everything(), "COUNT", 100_000)]))[0][1]
    read = {"due": "ZRANGE", "waiting": "ZRANGE", "co": "ZRANGE", "panes": "SMEMBERS", "closed": "SMEMBERS"}
    found = []
    for key in keys:
        _, family, _ = made.keys.parse(key)
        verb = read.get(family, "HGETALL" if family not in ("top", "version", "diary") else "GET")
        extra = (0, -1, "WITHSCORES") if verb == "ZRANGE" else ()
        answer = (await store.commands([(verb, key, *extra)]))[0]
        found += [key, *(answer if isinstance(answer, list) else [answer])]
    return b"\n".join(found)


async def test_an_erased_customer_leaves_no_count_no_key_and_no_value(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    await made.customers.put(0, [(0, "ann-7", PROFILE % b"ann-7")])
    await made.orders.place(
        owner,
        [
            (0, order("1", "abc", customer="ann-7", price=600_00)),
            (1, order("2", "ab", customer="bob")),
            (2, order("3", "cd", customer="ann-7", day=1)),
        ],
    )
    assert b"ann-7" in await everything(made, store)

    [proof] = await made.erasures.erase(eraser, [(0, erased("ann-7", day=1))], FIRST_PANE + 1, NOW_MS)

    assert await counts(made) == recount([order("2", "ab")])
    assert [row["customer_id"] for row in await rows(made, "customer")] == ["bob"]
    assert [row["order_id"] for row in await rows(made, "order")] == ["2"]
    assert await made.outbox.waiting() == []
    assert (await made.customers.known(["ann-7"]))["ann-7"] == ("none", None)
    assert (proof.orders, proof.pairs) == (2, 3 + 1)
    assert proof.proof_id == proof_id("ann-7", "erased")
    assert await made.erasures.proofs.find(proof.proof_id) == proof
    held = await everything(made, store)
    assert b"ann-7" not in held
    assert b"annie" not in held


async def test_what_returns_had_taken_is_not_taken_again(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    eraser = await made.fences.take(ERASED, 0)
    await made.orders.place(owner, [(0, order("1", "abc", customer="ann")), (1, order("2", "abc"))])
    await take_back(made, back, 0, returned("1", "a"))

    [proof] = await made.erasures.erase(eraser, [(0, erased("ann"))], FIRST_PANE, NOW_MS)
    after = await take_back(made, back, 1, returned("1", "b"))

    assert (proof.orders, proof.pairs) == (1, 1)
    assert after == Outcome.ERASED
    assert await counts(made) == recount([order("2", "abc")])


async def test_an_order_placed_before_the_erasure_that_comes_after_it_does_not_bring_the_customer_back(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    await made.erasures.erase(eraser, [(0, erased("ann-7", day=1.5))], FIRST_PANE + 1, NOW_MS)
    late = [order("1", "ab", customer="ann-7"), order("2", "abc", customer="ann-7", day=1.4)]
    again = [order("3", "bc", customer="ann-8", day=1.6)]

    placed = await made.orders.place(owner, list(enumerate([*late, *again])))
    await made.customers.put(0, [(0, "ann-7", PROFILE % b"ann-7")])

    assert placed.verdicts == [Verdict.ERASED, Verdict.ERASED, Verdict.COUNTED]
    assert await counts(made) == recount(again)
    assert b"ann-7" not in await everything(made, store)


async def test_orders_placed_after_the_erasure_count_whenever_it_is_seen(tables: MakeTables) -> None:
    before, after = order("1", "ab", customer="ann", day=1.1), order("2", "bc", customer="ann", day=1.3)
    found = []
    for late in (False, True):
        made = tables(namespace=f"late-{late}")
        await made.dictionary.remember("abc")
        owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
        await made.orders.place(owner, [(0, before)])
        if late:
            await made.orders.place(owner, [(1, after)])
        await made.erasures.erase(eraser, [(0, erased("ann", day=1.2))], FIRST_PANE + 1, NOW_MS)
        if not late:
            await made.orders.place(owner, [(1, after)])
        assert await counts(made) == recount([after])
        found.append(await rows(made, "customer", "order"))

    assert found[0] == found[1]
    assert found[0][0]["spend"] == {"EUR": 2_00}


async def test_spend_of_orders_that_have_left_the_order_log_is_forgotten_too(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    await made.orders.place(
        owner, [(0, order("1", "a", customer="ann")), (1, order("2", "b", customer="bob", day=4))]
    )
    owner.handled(1)
    await made.expiry.expire(owner, FIRST_PANE + 4)
    assert len(await rows(made, "customer")) == 2

    await made.erasures.erase(eraser, [(0, erased("ann", day=4))], FIRST_PANE + 4, NOW_MS)

    assert [row["customer_id"] for row in await rows(made, "customer")] == ["bob"]


async def test_an_erasure_sent_twice_has_one_proof(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("ab")
    owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    await made.orders.place(owner, [(0, order("1", "ab", customer="ann"))])

    first = await made.erasures.erase(eraser, [(0, erased("ann"))], FIRST_PANE, NOW_MS)
    second = await made.erasures.erase(eraser, [(1, erased("ann"))], FIRST_PANE, NOW_MS + 5)

    assert first == second
    assert await counts(made) == ({}, {})


async def test_marks_and_proofs_are_kept_until_every_order_they_cover_is_late(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    eraser = await made.fences.take(ERASED, 0)
    [proof] = await made.erasures.erase(eraser, [(0, erased("ann", day=1))], FIRST_PANE + 1, NOW_MS)

    await made.erasures.let_go(FIRST_PANE + 1)
    assert await made.erasures.proofs.find(proof.proof_id) == proof
    await made.erasures.let_go(FIRST_PANE + 2)

    assert await made.erasures.proofs.find(proof.proof_id) is None
    for tag in range(4):
        assert not (await store.commands([("HGETALL", made.keys.erased(tag))]))[0]


@pytest.mark.parametrize("kind", ["lost", "cut"])
@pytest.mark.parametrize("call", range(1, 25))
async def test_an_erasure_cut_off_at_any_call_resumes_and_gives_the_same_proof(
    tables: MakeTables, store: Store, kind: str, call: int
) -> None:
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abcdef")
    owner, eraser = await made.fences.take(TOPIC, 0), await made.fences.take(ERASED, 0)
    orders = [order("1", "abcd", customer="ann-7"), order("2", "ef", customer="bob"), order("3", "af")]
    orders.append(order("4", "bcd", customer="ann-7", day=1))
    await made.orders.place(owner, list(enumerate(orders)))
    failing.calls = 0
    setattr(failing, kind, {call, call + 3})

    for _ in range(4):
        try:
            [proof] = await made.erasures.erase(eraser, [(0, erased("ann-7", day=1))], FIRST_PANE + 1, NOW_MS)
        except StateUnavailable:
            eraser = await made.fences.take(ERASED, 0)
            continue
        break

    failing.lost, failing.cut = set(), set()
    assert await counts(made) == recount(orders[1:3])
    assert (proof.orders, proof.pairs) == (2, 6 + 3)
    assert b"ann-7" not in await everything(made, store)
