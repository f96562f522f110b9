"""What a flood of made-up SKUs leaves behind: nothing in the store, and no more than the bound in the worker."""

from __future__ import annotations

import pytest

from stream.decisions.policy import Policy
from stream.tables import dictionary, view_reader
from stream.tables.dump import scan
from stream.tables.ids import sku_id
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order
from tests.contract.test_views import basket


async def test_looking_at_skus_nobody_bought_writes_nothing(tables: MakeTables) -> None:
    made = tables()
    await made.open()
    before = await scan(made)

    await ViewReader(made, Policy(), max_age_s=1).read([basket(*(f"made-up-{i}" for i in range(200)))], 0.0)

    assert await scan(made) == before


async def test_a_reader_that_has_seen_too_many_skus_starts_afresh_and_still_answers(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_reader, "MOST_CACHED", 50)
    made = tables()
    await made.dictionary.remember("ab")
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(i, order(str(i), "ab")) for i in range(4)])
    reader = ViewReader(made, Policy(), max_age_s=60)

    for i in range(20):
        views = await reader.read([basket("a", *(f"made-up-{i}-{j}" for j in range(10)))], float(i))
        assert len(reader._cache.skus) <= 50 + 12
        learned = views.lines["a"].learned
        assert learned is not None
        assert learned.orders == 4


async def test_a_reader_holds_no_more_partner_lists_than_the_bound(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_reader, "MOST_LISTS", 30)
    reader = ViewReader(tables(), Policy(), max_age_s=60)

    for i in range(10):
        await reader.read([basket(*(f"made-up-{i}-{j}" for j in range(10)))], float(i))
        assert len(reader._cache.lists) <= 30 + 10


async def test_a_dictionary_that_remembers_too_much_asks_again(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dictionary, "MOST_CACHED", 20)
    made = tables()
    names = [f"sku-{i}" for i in range(60)]

    for start in range(0, 60, 10):
        assert await made.dictionary.remember(names[start : start + 10]) == set()
        assert len(made.dictionary._skus) <= 20 + 10

    assert made.dictionary.written == 60
    assert await made.dictionary.names([sku_id(name) for name in names]) == {sku_id(n): n for n in names}
    assert await made.dictionary.remember(names) == set()
    assert made.dictionary.written == 60
