"""Redis went back or was emptied, and the log no longer holds what it lacks: what is refused, skipped and noticed."""

from __future__ import annotations

import pytest
from faust.types import TP

from stream.errors import OperatorError, StateLost
from stream.ops.tally import Tally
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from tests.agents.positions import BASKETS, PLACED, PRODUCTS, Log, handle, positions


@pytest.fixture
def tables() -> Tables:
    return Tables(MemoryStore(), load_settings({}, tags=3))


async def test_a_store_that_lost_its_tail_is_replayed_although_kafka_says_committed(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})
    await tables.store.commands([("HSET", tables.keys.fences(1), "order-placed/0", "2:20454")])

    assert await positions(tables, Log()).start_at({PLACED: 5}, 2) == {PLACED: 3}


async def test_empty_tables_under_a_committed_group_are_refused(tables: Tables) -> None:
    with pytest.raises(OperatorError, match="Redis lost its data") as refusal:
        await positions(tables, Log()).start_at({PLACED: 5}, 1)

    assert "tables rebuild" in refusal.value.remedy


async def test_tables_set_back_to_the_beginning_of_a_log_that_retention_cut_are_not_refused(
    tables: Tables,
) -> None:
    assert await positions(tables, Log(earliest=5)).start_at({PLACED: 5}, 1) == {PLACED: 5}


async def test_a_log_that_is_shorter_than_the_tables_know_is_refused(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)

    with pytest.raises(OperatorError, match="not the log they were made from"):
        await positions(tables, Log(end=3)).start_at({PLACED: None}, 2)


async def test_a_broker_that_names_too_early_an_end_is_judged_by_what_it_serves(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})

    assert await positions(tables, Log(end=3, served_end=5)).start_at({PLACED: 5}, 2) == {PLACED: 5}


async def test_a_log_that_no_longer_holds_what_the_tables_lack_is_refused(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})

    with pytest.raises(OperatorError, match="from offset 5, but the log begins at 50"):
        await positions(tables, Log(earliest=50)).start_at({PLACED: 5}, 2)


async def test_a_gap_the_operator_has_accepted_is_counted_and_told(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})
    tally = Tally()

    accepted = positions(tables, Log(earliest=50), on_gap="skip", tally=tally)

    assert await accepted.start_at({PLACED: 5}, 2) == {PLACED: 50}
    assert tally.counts == {"gap.order-placed": 45}
    assert "GAP: order-placed[0] was to be read from offset 5, but its log begins at 50" in caplog.text


async def test_empty_tables_behind_a_log_that_retention_cut_count_the_gap(tables: Tables) -> None:
    tally = Tally()

    assert await positions(tables, Log(earliest=8), tally=tally).start_at({PLACED: 5}, 1) == {PLACED: 8}
    assert tally.counts == {"gap.order-placed": 3}


async def test_a_fenced_partition_that_falls_out_of_its_log_stops_the_worker(tables: Tables) -> None:
    with pytest.raises(OperatorError, match="from offset 5, but the log begins at 8: 3 records are gone"):
        await positions(tables, Log(earliest=8)).out_of_range(PLACED, 5)
    with pytest.raises(StateLost, match="compares it with the tables"):
        await positions(tables, Log(earliest=8), on_gap="skip").out_of_range(PLACED, 5)
    with pytest.raises(StateLost, match="does not hold offset 101"):
        await positions(tables, Log(end=100)).out_of_range(PLACED, 101)


async def test_baskets_that_are_gone_are_counted_and_the_next_ones_answered(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally()
    made = positions(tables, Log(earliest=8), tally=tally)

    assert await made.out_of_range(BASKETS, 5) == 8
    assert await made.out_of_range(BASKETS, 5) == 8
    assert await made.out_of_range(TP("product-updated", 0), 7) == 8
    assert tally.counts == {"gap.basket-updated": 3, "gap.product-updated": 1}

    assert await made.out_of_range(BASKETS, 500) == 8
    assert "basket-updated[0] was read up to offset 500, but its log is shorter" in caplog.text


async def test_products_that_the_tables_lost_are_read_again_from_what_the_log_still_holds(
    tables: Tables,
) -> None:
    assert await positions(tables, Log(earliest=3)).start_at({PRODUCTS: 9}, 1) == {PRODUCTS: 3}


async def test_redis_going_back_is_noticed_without_any_event(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})
    await made.check()

    await tables.store.commands([("HSET", tables.keys.fences(1), "order-placed/0", "2:20454")])

    with pytest.raises(StateLost, match="tag 1 of order-placed/0 is at 2, it had acknowledged 4"):
        await made.check()
    assert await made.before_commit({PLACED: 5, BASKETS: 9}) == {PLACED: 5, BASKETS: 9}
    assert await made.start_at({PLACED: 5}, 2) == {PLACED: 3}
    await made.check()


async def test_another_owner_s_newer_epoch_is_not_taken_for_a_loss(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await positions(tables, Log()).start_at({PLACED: None}, 2)

    await made.check()


@pytest.mark.parametrize("reopened", [False, True])
async def test_tables_that_were_emptied_under_a_worker_are_noticed_and_refused(
    tables: Tables, reopened: bool
) -> None:
    await tables.open()
    made = positions(tables, Log())
    await made.start_at({BASKETS: 5}, 1)
    store = tables.store
    assert isinstance(store, MemoryStore)
    store.data.clear()
    if reopened:
        await Tables(store, load_settings({}, tags=3)).open()

    with pytest.raises(StateLost, match="emptied"):
        await made.check()
    with pytest.raises(OperatorError, match="not those this worker was started on") as refusal:
        await made.start_at({BASKETS: 5}, 2)
    assert "tables rebuild" in refusal.value.remedy
