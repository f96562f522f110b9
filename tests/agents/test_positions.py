"""Where a worker starts to read, what it lets Kafka commit, and when it refuses."""

from __future__ import annotations

import pytest
from faust.types import TP

from stream.errors import Superseded
from stream.ops.tally import Tally
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from tests.agents.positions import BASKETS, PLACED, Log, handle, positions
from tests.contract.orders import FailingStore


@pytest.fixture
def tables() -> Tables:
    return Tables(MemoryStore(), load_settings({}, tags=3))


async def test_a_new_group_reads_from_the_beginning_of_the_log(tables: Tables) -> None:
    made = positions(tables, Log(earliest=7))

    assert await made.start_at({PLACED: None, BASKETS: None}, 1) == {PLACED: 7}


async def test_topics_without_counts_start_where_kafka_says(tables: Tables) -> None:
    assert await positions(tables, Log()).start_at({BASKETS: 5}, 1) == {}


async def test_a_commit_brings_every_tag_along_and_the_next_owner_starts_behind_it(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    owner = await handle(made, tables, 0, 4)

    assert await made.before_commit({PLACED: 5, BASKETS: 9}) == {PLACED: 5, BASKETS: 9}

    assert owner.lowest_fence == 4
    assert await made.start_at({PLACED: 5}, 2) == {PLACED: 5}


async def test_nothing_is_committed_while_redis_does_not_answer_and_the_worker_lives_on() -> None:
    failing = FailingStore(MemoryStore())
    tables = Tables(failing, load_settings({}, tags=3))
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    failing.lost = {failing.calls + 1}

    assert await made.before_commit({PLACED: 5, BASKETS: 9}) == {BASKETS: 9}
    assert await made.before_commit({PLACED: 5, BASKETS: 9}) == {PLACED: 5, BASKETS: 9}


async def test_what_was_applied_but_not_committed_is_read_again(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 3})

    assert await positions(tables, Log()).start_at({PLACED: 3}, 2) == {PLACED: 3}


async def test_a_group_that_lost_its_offsets_resumes_from_the_fences(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await handle(made, tables, 0, 4)
    await made.before_commit({PLACED: 5})

    assert await positions(tables, Log()).start_at({PLACED: None}, 2) == {PLACED: 5}


async def test_what_a_zombie_would_commit_is_refused_and_counted(tables: Tables) -> None:
    tally = Tally()
    zombie = positions(tables, Log(), tally=tally)
    await zombie.start_at({PLACED: None}, 1)
    owner = await handle(zombie, tables, 0, 4)
    owner.handled(9)  # dead letters, which no tag has seen
    await positions(tables, Log()).start_at({PLACED: None}, 2)

    assert await zombie.before_commit({PLACED: 10}) == {}
    assert tally.counts == {"commits.superseded": 1}


async def test_a_partition_that_left_commits_nothing_and_its_old_owner_is_fenced(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await positions(tables, Log()).start_at({PLACED: None}, 2)

    with pytest.raises(Superseded):
        await handle(made, tables, 0, 1)
    await made.revoked({PLACED})

    assert await made.before_commit({PLACED: 2}) == {}
    with pytest.raises(Superseded):
        made.owner("order-placed", 0, 1)


async def test_a_batch_of_an_earlier_assignment_finds_no_owner(tables: Tables) -> None:
    made = positions(tables, Log())
    await made.start_at({PLACED: None}, 1)
    await made.start_at({PLACED: None}, 2)

    with pytest.raises(Superseded):
        made.owner("order-placed", 0, 1)
    assert made.owner("order-placed", 0, 2).source == "order-placed/0"


async def test_more_partitions_are_taken_than_there_are_connections_to_redis(redis_url: str) -> None:
    tables = Tables.on_redis(load_settings({}, tags=3, redis_url=redis_url))
    made = positions(tables, Log())
    try:
        starts = await made.start_at({TP("order-placed", p): None for p in range(40)}, 1)
    finally:
        await tables.close()

    assert starts == {TP("order-placed", p): 0 for p in range(40)}
