"""A batch is judged by the watermark it was first read under, however often and from wherever it is read again."""

from __future__ import annotations

import pytest

from stream.errors import StateUnavailable
from stream.tables import batch
from stream.tables.store import Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, FailingStore, counts, order, recount

LEAPING = [order("1", "ab", day=0), order("2", "cd", day=9), order("3", "ef", day=9)]
"""The first is in time where it stands, and would be late behind the second."""


@pytest.mark.parametrize("cut", [1, 2])
async def test_a_batch_that_is_tried_again_is_judged_as_the_first_time(
    tables: MakeTables, store: Store, cut: int
) -> None:
    failing = FailingStore(store)
    made = tables(failing)
    await made.dictionary.remember("abcdef")
    owner = await made.fences.take(TOPIC, 0)
    failing.cut = {failing.calls + cut}

    with pytest.raises(StateUnavailable):
        await made.orders.place(owner, list(enumerate(LEAPING)))
    await made.orders.place(owner, list(enumerate(LEAPING)))

    assert await counts(made) == recount(LEAPING)


@pytest.mark.parametrize("cut", range(1, 7))
async def test_a_batch_cut_between_two_steps_is_judged_by_its_next_reader_as_by_the_first(
    tables: MakeTables, store: Store, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_PAIRS_A_TAG", 0)
    failing = FailingStore(store)
    made = tables(failing, tags=1)
    orders = [order("0", "ab", day=0), order("1", "ac", day=0.5), *LEAPING[1:], order("4", "fa", day=8)]
    await made.dictionary.remember("abcdef")
    owner = await made.fences.take(TOPIC, 0)
    failing.cut = {failing.calls + cut}
    with pytest.raises(StateUnavailable):
        await made.orders.place(owner, list(enumerate(orders)))

    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, list(enumerate(orders))[owner.lowest_fence + 1 :])

    assert await counts(made) == recount(orders)
