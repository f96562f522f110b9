"""Feedback counts once an event id: how a log was cut into batches, and what was lost of it, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import StateLost, StateUnavailable
from stream.settings import load_settings
from stream.tables import acceptance as table
from stream.tables.acceptance import Told
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Store
from stream.tables.tables import Tables
from stream.verification import feedback as verification
from tests.contract.conftest import MakeTables
from tests.contract.feedback import (
    BAGS,
    FEEDBACK,
    PHONES,
    START_MS,
    TOKENS,
    expected,
    recounted,
    some,
    told,
)
from tests.contract.orders import FailingStore, rows
from tests.contract.test_partial_loss import LossyStore

REMEMBERED = 10
"""Offsets an id is remembered for in most of these tests."""


@pytest.fixture(name="short")
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are remembered for a few offsets, and a call takes a few events."""
    monkeypatch.setattr(table, "REMEMBERED", REMEMBERED)
    monkeypatch.setattr(verification, "_REMEMBERED", REMEMBERED)
    monkeypatch.setattr(table, "MOST_A_CALL", 7)


def test_the_recount_remembers_ids_for_as_long_as_the_tables_do() -> None:
    assert table.REMEMBERED == verification._REMEMBERED


def again(record: Told, offset: int) -> Told:
    return record._replace(offset=offset)


async def test_an_event_that_comes_again_is_counted_once_in_its_batch_or_in_a_later_one(
    tables: MakeTables,
) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    one, other = told((PHONES, "shown"), (PHONES, "added"))
    log = [one, other, again(one, 2), again(one, 7), again(other, 8)]

    first = await made.acceptance.count(owner, log[:3])
    second = await made.acceptance.count(owner, log[3:])

    assert (first.repeated, second.repeated) == (1, 2)
    found = await rows(made, "acceptance")
    assert [(row["action"], row["count"]) for row in found] == [("added", 1), ("shown", 1)]
    assert found == expected(log)


async def test_the_first_of_an_id_counts_whatever_the_others_say_and_other_ids_count_beside_it(
    tables: MakeTables,
) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    first = told((PHONES, "shown"))[0]
    log = [
        first,
        Told(1, START_MS, BAGS, "added", first.event_id),
        Told(2, START_MS, PHONES, "shown", "another id of the same"),
    ]

    await made.acceptance.count(owner, log)

    [row] = await rows(made, "acceptance")
    assert (row["token"], row["action"], row["count"]) == (PHONES, "shown", 2)


async def test_each_partition_remembers_its_own(tables: MakeTables) -> None:
    made, log = tables(), told((PHONES, "shown"))
    for partition in (0, 1):
        owner = await made.fences.take(FEEDBACK, partition)
        await made.acceptance.count(owner, log)

    [row] = await rows(made, "acceptance")
    assert row["count"] == 2


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_call_whose_answer_was_lost_is_no_repeat_of_itself(
    tables: MakeTables, store: Store, short: None, lost: int
) -> None:
    made, log = tables(), some(1, number=12)
    owner = await made.fences.take(FEEDBACK, 0)
    cut_off = tables(FailingStore(store, lost=[lost]))
    with pytest.raises(StateUnavailable):
        await cut_off.acceptance.count(owner, log)

    uncounted = await cut_off.acceptance.count(owner, log)

    assert uncounted == (0, 0)
    assert await rows(made, "acceptance") == expected(log)


@pytest.mark.parametrize(("apart", "counted"), [(REMEMBERED, 1), (REMEMBERED + 1, 2)])
@pytest.mark.parametrize("batches", [[2], [1, 1]], ids=["in one batch", "in two"])
async def test_an_id_is_remembered_for_so_many_offsets_however_the_log_is_cut(
    tables: MakeTables, short: None, apart: int, counted: int, batches: list[int]
) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    one = told((PHONES, "shown"), first=100)[0]
    log = [one, again(one, 100 + apart)]

    for size in batches:
        await made.acceptance.count(owner, log[:size])
        log = log[size:] or log

    [row] = await rows(made, "acceptance")
    assert row["count"] == counted
    assert expected([one, again(one, 100 + apart)]) == [row]


async def test_an_event_that_keeps_coming_is_never_counted_again(tables: MakeTables, short: None) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    log = [again(told((PHONES, "shown"))[0], REMEMBERED * at) for at in range(6)]

    uncounted = await made.acceptance.count(owner, log)

    assert uncounted.repeated == recounted(log).repeated == 5
    assert await rows(made, "acceptance") == expected(log)


async def test_no_more_ids_are_kept_than_there_are_offsets_to_remember(
    tables: MakeTables, store: Store, short: None
) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 3)
    for start in range(0, 90, 30):
        await made.acceptance.count(owner, told(*[(PHONES, "shown")] * 30, first=start))

    [kept] = await store.commands([("ZCARD", made.keys.heard(3))])

    assert kept == REMEMBERED


async def test_a_pane_of_nothing_but_repeats_is_not_made(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    one = told((PHONES, "shown"))[0]
    log = [one, Told(1, START_MS + 13 * table.PANE_MS, PHONES, "shown", one.event_id)]

    await made.acceptance.count(owner, log)

    # A newer pane would have the first one leave the year.
    assert sorted((await made.acceptance.read()).feedback) == [700]
    assert await rows(made, "acceptance") == expected(log) != []


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_takes_over_behind_the_fence_tells_repeats_as_the_one_before_did(
    tables: MakeTables, short: None, seed: int
) -> None:
    made, log, dice = tables(), some(seed, events=12), Random(seed)
    read = 0
    while read < len(log):
        owner = await made.fences.take(FEEDBACK, 0)
        begin = dice.randint(0, read)
        if dice.random() < 0.5:
            # It has not been told where the fence stands: the script has to.
            owner.known[owner.source] = [-1] * 4
        read = max(read, begin + dice.randint(1, 25))
        await made.acceptance.count(owner, log[begin:read])

    assert await rows(made, "acceptance") == expected(log)


@pytest.mark.parametrize("seed", range(10))
async def test_a_tail_that_redis_lost_is_counted_again_and_no_repeat_of_itself(
    short: None, seed: int
) -> None:
    store, log, dice = LossyStore(), some(seed, number=80, events=25), Random(seed)
    made = Tables(store, load_settings({}, tags=4))
    tag = made.keys.prefix(0).split(b":")[-2]
    owner, read = await made.fences.take(FEEDBACK, 0), 0
    while read < len(log):
        store.now += 1
        size = dice.randint(1, 9)
        try:
            await made.acceptance.count(owner, log[read : read + size])
            read += size
        except StateLost:
            owner, read = await made.fences.take(FEEDBACK, 0), 0
        if store.now % 5 == 0:
            store.lose(tag, store.now - dice.randint(0, 4))
    # The last loss is found as the others were: by asking.
    await made.acceptance.count(await made.fences.take(FEEDBACK, 0), log)

    assert await rows(made, "acceptance") == expected(log)


@given(
    events=st.lists(
        st.tuples(st.integers(1, 8), st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=40
    ),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    back=st.lists(st.integers(0, 10), min_size=1, max_size=8),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
async def test_counts_do_not_depend_on_how_the_log_was_cut_or_read_again(
    short: None, events: list[tuple[int, int, int, int]], sizes: list[int], back: list[int]
) -> None:
    log, offset = list[Told](), -1
    for gap, ident, token, pane in events:
        offset += gap
        log.append(Told(offset, START_MS + pane * table.PANE_MS, TOKENS[token], "shown", f"event-{ident}"))
    whole, cut = await count_in(log, [len(log) or 1], [0]), await count_in(log, sizes, back)

    assert whole == cut == expected(log)
    assert sum(int(str(row["count"])) for row in whole) == sum(map(len, firsts(log)))


async def count_in(log: Sequence[Told], sizes: list[int], back: list[int]) -> list[dict[str, object]]:
    """Rows after batches of these sizes, each read by a new owner that begins so many records before."""
    made, read, turn = Tables(MemoryStore(), load_settings({}, tags=2)), 0, 0
    while read < len(log):
        owner = await made.fences.take(FEEDBACK, 0)
        begin = max(0, read - back[turn % len(back)])
        read += sizes[turn % len(sizes)]
        await made.acceptance.count(owner, log[begin:read])
        turn += 1
    return await rows(made, "acceptance")


def firsts(log: Sequence[Told]) -> list[list[Told]]:
    """The records of each event id that count: no other one of it stands just before them."""
    of_each = [[one for one in log if one.event_id == ident] for ident in {one.event_id for one in log}]
    return [
        [one for one in same if not any(0 < one.offset - other.offset <= REMEMBERED for other in same)]
        for same in of_each
    ]
