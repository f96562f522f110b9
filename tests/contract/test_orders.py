"""Orders are counted exactly once, whatever is repeated, cut off or taken over."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import StateLost, StateUnavailable, Superseded
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.orders import Verdict
from stream.tables.store import Store
from stream.tables.tables import Tables
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, FailingStore, counts, order, recount, returned, rows, take_back


async def test_every_unordered_pair_of_an_order_counts_once_in_both_directions(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    orders = [order("1", "abc"), order("2", "ab"), order("3", "d"), order("4", "aab")]

    placed = await made.orders.place(owner, list(enumerate(orders)))

    assert placed.verdicts == [Verdict.COUNTED] * 4
    await made.dictionary.remember("abcd")
    assert await counts(made) == recount(orders)


async def test_the_same_records_again_change_nothing(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    orders = list(enumerate([order("1", "abc", customer="ann"), order("2", "ab", customer="ann")]))
    await made.orders.place(owner, orders)
    before = await rows(made, "co_purchase", "order_count", "customer", "order")

    again = await made.fences.take(TOPIC, 0)
    await made.orders.place(again, orders)

    assert await rows(made, "co_purchase", "order_count", "customer", "order") == before


async def test_a_replay_that_straddles_the_fence_adds_only_what_is_new(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcdef")
    orders = [order(str(i), skus) for i, skus in enumerate(["ab", "bc", "cd", "de", "ef", "fa"])]
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, list(enumerate(orders))[:4])

    again = await made.fences.take(TOPIC, 0)
    await made.orders.place(again, list(enumerate(orders))[2:])

    assert await counts(made) == recount(orders)


async def test_an_order_id_seen_before_at_another_offset_is_a_duplicate(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner = await made.fences.take(TOPIC, 0)
    other = await made.fences.take(TOPIC, 1)

    first = await made.orders.place(owner, [(0, order("1", "ab")), (1, order("1", "abc"))])
    second = await made.orders.place(other, [(7, order("1", "ab"))])

    assert first.verdicts == [Verdict.COUNTED, Verdict.DUPLICATE]
    assert second.verdicts == [Verdict.DUPLICATE]
    assert await counts(made) == recount([order("1", "ab")])


async def test_a_worker_that_lost_its_partition_is_refused(tables: MakeTables) -> None:
    made = tables()
    zombie = await made.fences.take(TOPIC, 0)
    await made.fences.take(TOPIC, 0)

    with pytest.raises(Superseded):
        await made.orders.place(zombie, [(0, order("1", "ab"))])

    assert await counts(made) == ({}, {})


async def test_a_store_that_lost_its_tail_is_noticed(tables: MakeTables, store: Store) -> None:
    made = tables()
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order("1", "ab"))])
    for tag in range(4):
        await store.commands([("HDEL", made.keys.fences(tag), owner.source)])

    with pytest.raises(StateLost, match="went back"):
        await made.orders.place(owner, [(1, order("2", "ab"))])


async def test_an_order_older_than_the_window_is_late_and_counts_nothing(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abcd")
    owner = await made.fences.take(TOPIC, 0)

    placed = await made.orders.place(
        owner, [(0, order("1", "ab", day=10)), (1, order("2", "cd", day=7)), (2, order("3", "cd", day=8))]
    )

    assert placed.verdicts == [Verdict.COUNTED, Verdict.LATE, Verdict.COUNTED]
    assert await counts(made) == recount([order("1", "ab"), order("3", "cd")])


async def test_no_more_than_fifty_skus_of_an_order_are_counted(tables: MakeTables) -> None:
    made = tables()
    skus = [f"sku-{i}" for i in range(60)]
    await made.dictionary.remember(skus)
    owner = await made.fences.take(TOPIC, 0)

    await made.orders.place(owner, [(0, order("1", skus)), (1, order("2", skus[::-1]))])

    pairs, singles = await counts(made)
    assert len(singles) == 50
    assert len(pairs) == 50 * 49
    assert set(pairs.values()) == set(singles.values()) == {2}


async def test_a_return_takes_away_exactly_what_the_order_added(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    await made.orders.place(
        owner, [(0, order("1", "abc", customer="ann")), (1, order("2", "ab", customer="ann"))]
    )

    await take_back(made, back, 0, returned("1", "c"))
    assert await counts(made) == recount([order("1", "ab"), order("2", "ab")])
    assert (await rows(made, "customer"))[0]["spend"] == {"EUR": 4_00}
    await take_back(made, back, 1, returned("1", "c"))
    await take_back(made, back, 2, returned("1"))

    assert await counts(made) == recount([order("2", "ab")])
    assert await rows(made, "customer") == [
        {"table": "customer", "customer_id": "ann", "orders": 1, "spend": {"EUR": 2_00}, "tier": "none"}
    ]
    assert [row["order_id"] for row in await rows(made, "order")] == ["2"]


async def test_a_return_that_is_replayed_takes_away_nothing_more(tables: MakeTables) -> None:
    made = tables()
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    await made.orders.place(owner, [(0, order("1", "abc")), (1, order("2", "abc"))])
    await take_back(made, back, 0, returned("1", "a"))

    again = await made.fences.take("order-returned", 0)
    await take_back(made, again, 0, returned("1", "a"))

    assert await counts(made) == recount([order("1", "bc"), order("2", "abc")])


@pytest.mark.parametrize("kind", ["lost", "cut"])
@pytest.mark.parametrize("call", range(1, 5))
async def test_a_failure_at_any_call_and_a_retry_still_count_once(
    tables: MakeTables, store: Store, kind: str, call: int
) -> None:
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abcdef")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    orders = [order("1", "abcd", customer="ann"), order("2", "ef", customer="bob"), order("3", "af")]
    failing.calls = 0
    setattr(failing, kind, {call, call + 3})

    for _ in range(4):
        try:
            await made.orders.place(owner, list(enumerate(orders)))
            await take_back(made, back, 0, returned("2", "e"))
        except StateUnavailable:
            continue
        break

    failing.lost, failing.cut = set(), set()
    assert await counts(made) == recount([orders[0], order("2", "f"), orders[2]])


@given(
    baskets=st.lists(
        st.tuples(st.integers(0, 9), st.sets(st.sampled_from("abcdef"), min_size=1)), max_size=12
    ),
    sizes=st.lists(st.integers(1, 5), min_size=12, max_size=12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
async def test_counts_do_not_depend_on_how_the_log_was_cut_into_batches(
    baskets: list[tuple[int, set[str]]], sizes: list[int]
) -> None:
    orders = list(enumerate(order(str(i), sorted(skus)) for i, skus in baskets))
    results = []
    for cuts in ([len(orders) or 1], sizes):
        made = Tables(MemoryStore(), load_settings({}, tags=3))
        await made.dictionary.remember("abcdef")
        owner = await made.fences.take(TOPIC, 0)
        start = 0
        for size in cuts:
            await made.orders.place(owner, orders[start : start + size])
            start += size
        results.append(await counts(made))

    first_of_id = {placed.order_id: placed for _, placed in reversed(orders)}
    assert results[0] == results[1] == recount(list(first_of_id.values()))
