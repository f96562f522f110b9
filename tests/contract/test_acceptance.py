"""Feedback counts once a record, whatever is repeated, cut off or lost; moves count once a telling."""

from __future__ import annotations

from collections import Counter

import pytest

from stream.decisions.acceptance import MOVE, Counts
from stream.decisions.policy import Policy
from stream.errors import StateLost, StateUnavailable, Superseded
from stream.tables import acceptance as table
from stream.tables.acceptance import (
    HELD,
    UP,
    acceptance_of,
    move_field,
    pane_of,
)
from stream.tables.acceptance_reader import AGES
from stream.tables.store import Store
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.feedback import BAGS, FEEDBACK, PHONES, START_MS, expected, some, told
from tests.contract.orders import FailingStore, rows


async def test_feedback_is_counted_by_pane_token_and_action(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    records = told(
        (PHONES, "shown"), (PHONES, "shown"), (PHONES, "added"), (BAGS, "dismissed"), (BAGS, "clicked")
    )

    assert await made.acceptance.count(owner, records) == (0, 0)

    found = acceptance_of(await made.acceptance.read())
    assert found.counted("upsell", "phones", "25", "gold") == Counts(1, 2)
    assert found.counted("cross_sell", "bags", "-", "none") == Counts(0, 0)
    assert await rows(made, "acceptance") == expected(records)


async def test_a_replay_changes_nothing_and_a_batch_that_straddles_the_fence_adds_its_rest(
    tables: MakeTables,
) -> None:
    made, records = tables(), some(1)
    first = await made.fences.take(FEEDBACK, 0)
    await made.acceptance.count(first, records[:40])
    # Another worker takes over and begins where the commit stands, before what was counted.
    second = await made.fences.take(FEEDBACK, 0)
    await made.acceptance.count(second, records[20:])
    second.known[second.source] = [-1] * 4
    await made.acceptance.count(second, records)

    assert await rows(made, "acceptance") == expected(records)


async def test_a_call_whose_answer_was_lost_is_repeated_without_counting_twice(
    tables: MakeTables, store: Store
) -> None:
    made, records = tables(), some(2)
    failing = FailingStore(store, lost=[1, 3, 5, 7])
    cut_off = tables(failing)
    owner = await made.fences.take(FEEDBACK, 0)
    for start in range(0, len(records), 15):
        with pytest.raises(StateUnavailable):
            await cut_off.acceptance.count(owner, records[start : start + 15])
        await cut_off.acceptance.count(owner, records[start : start + 15])

    assert await rows(made, "acceptance") == expected(records)


async def test_a_worker_that_lost_its_partition_counts_nothing(tables: MakeTables) -> None:
    made = tables()
    zombie = await made.fences.take(FEEDBACK, 0)
    await made.fences.take(FEEDBACK, 0)

    with pytest.raises(Superseded):
        await made.acceptance.count(zombie, told((PHONES, "shown")))
    assert await rows(made, "acceptance") == []


async def test_counts_that_redis_lost_are_noticed_before_more_is_added(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    await made.acceptance.count(owner, told((PHONES, "shown"), (PHONES, "shown")))
    await store.commands([("HSET", made.keys.fences(0), owner.source, "0:0")])

    with pytest.raises(StateLost):
        await made.acceptance.count(owner, told((PHONES, "shown"), first=2))


async def test_a_year_counts_and_what_is_older_is_dropped(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    records = [
        *told((PHONES, "shown"), (PHONES, "added")),
        *told((PHONES, "shown"), first=2, pane=1),
        *told((PHONES, "shown"), first=3, pane=13),
    ]
    await made.acceptance.count(owner, records)
    assert acceptance_of(await made.acceptance.read()).counted("upsell") == Counts(0, 2)

    await made.acceptance.let_go()
    late = told((PHONES, "added"), first=4)
    await made.acceptance.count(owner, late)

    assert acceptance_of(await made.acceptance.read()).counted("upsell") == Counts(0, 2)
    assert await rows(made, "acceptance") == expected([*records, *late])


async def test_only_panes_that_changed_are_read_again(tables: MakeTables) -> None:
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)
    await made.acceptance.count(owner, [*told((PHONES, "shown")), *told((BAGS, "shown"), first=1, pane=1)])
    before = await made.acceptance.read()
    await made.acceptance.count(owner, told((BAGS, "shown"), first=2, pane=1))

    after = await made.acceptance.read(before)

    old, new = sorted(after.feedback)
    assert after.feedback[old] is before.feedback[old]
    assert after.feedback[new][1] == {"s" + BAGS: 2}


async def test_a_pane_is_full_of_tokens_one_day_and_says_so(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_FIELDS", 2)
    made = tables()
    owner = await made.fences.take(FEEDBACK, 0)

    full = await made.acceptance.count(owner, told((PHONES, "shown"), (PHONES, "added"), (BAGS, "added")))
    known = await made.acceptance.count(owner, told((PHONES, "added"), first=3))

    assert (full.refused, known.refused) == (1, 0)

    found = await rows(made, "acceptance")
    assert sum(int(row["count"]) for row in found) == 3
    assert len(found) == 2


async def moves(made: Tables) -> Counter[str]:
    counted = Counter[str]()
    for _, fields in (await made.acceptance.read()).moves.values():
        counted.update(fields)
    return counted


async def test_moves_are_added_once_a_telling_and_workers_add_up(tables: MakeTables) -> None:
    made, pane = tables(), pane_of(START_MS)
    held, up = move_field(HELD, "25", "gold", "ph|ones"), move_field(UP, "25", "gold", "ph|ones")
    day = 86_400_000

    for _ in range(2):
        await made.acceptance.add_moves("one", 1, {(pane, held): 5, (pane, up): 1}, START_MS)
    await made.acceptance.add_moves("two", 1, {(pane, held): 2}, START_MS)
    await made.acceptance.add_moves("one", 2, {(pane, held): 1, (pane - 1, held): 1}, START_MS + day)
    await made.acceptance.add_moves("one", 1, {(pane, held): 100}, START_MS + day)

    assert await moves(made) == {held: 9, up: 1}
    found = acceptance_of(await made.acceptance.read())
    assert found.counted(MOVE, "ph|ones", "25", "gold") == Counts(1, 9)
    assert await rows(made, "acceptance") == []  # hints are not recounted


async def test_moves_in_more_places_than_are_written_at_once_are_added_up(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_FIELDS", 1_200)
    made, pane = tables(), pane_of(START_MS)
    fields = sorted(move_field(HELD, "25", "gold", f"range-{at}") for at in range(1_300))

    for number in (1, 2):
        told = {(pane, field): at + number for at, field in enumerate(fields)}
        await made.acceptance.add_moves("one", number, told, START_MS)

    assert await moves(made) == {field: 2 * at + 3 for at, field in enumerate(fields[:1_200])}


async def test_workers_that_were_silent_for_a_week_are_forgotten(tables: MakeTables, store: Store) -> None:
    made, pane = tables(), pane_of(START_MS)
    field = move_field(HELD, "25", "gold", "phones")
    await made.acceptance.add_moves("gone", 1, {(pane, field): 1}, START_MS)
    await made.acceptance.add_moves("here", 1, {(pane, field): 1}, START_MS + 8 * 86_400_000)

    [workers] = await store.commands([("HKEYS", made.keys.movers())])

    assert workers == [b"here"]
    assert await moves(made) == {field: 2}


async def test_views_know_what_was_counted_some_seconds_later_and_forget_it_with_the_tables(
    tables: MakeTables, store: Store
) -> None:
    made = tables()
    await made.open()
    reader = ViewReader(made, Policy(), max_age_s=1.0)
    owner = await made.fences.take(FEEDBACK, 0)
    assert not (await reader.read([], 0.0)).acceptance

    await made.acceptance.count(owner, told((PHONES, "shown"), (PHONES, "added")))

    assert not (await reader.read([], float(AGES) / 2)).acceptance
    known = (await reader.read([], float(AGES))).acceptance
    assert known.counted("upsell", "phones") == Counts(1, 1)
    assert (await reader.read([], 2 * float(AGES))).acceptance is known
    await store.commands([("DEL", made.keys.acceptance()), ("DEL", made.keys.acceptance(700))])
    made.begin_again()
    assert not (await reader.read([], 2 * float(AGES))).acceptance
