"""What is read again is made anew only where something changed, and then all of it."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import numpy as np
import pytest

from stream.decisions.neighbours import NeighbourRow, neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.scorers import FITS
from stream.decisions.views import Views
from stream.errors import StateUnavailable
from stream.tables.fitted_row import pack
from stream.tables.ids import sku_id, tag_of
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.test_views import basket, place, put, together

SKUS = "abcdefgh"


def said(views: Views, sku: str) -> list[object]:
    """The rows of a line with SKUs in the place of dense indices."""

    def by_sku(row: NeighbourRow) -> object:
        counts = row.counts()
        names = [views.skus[item] for item in row.candidates()]
        refused = [(views.skus[one.item], one.together, one.code) for one in row.refused]
        weights = list(row.weights().values())
        return row.source, row.orders, list(zip(names, weights, counts, strict=True)), refused

    line = views.lines[sku]
    return [by_sku(row) for row in (line.learned, *line.others) if row is not None]


async def fit(tables: Tables, sku: str, random: Random, now_ms: int = 0, *, gone: bool = False) -> None:
    """Put some fitted row, or take it away."""
    neighbours = [other for other in SKUS if other != sku and random.random() < 0.5]
    weights = np.array([[random.uniform(-1, 1) for _ in neighbours] for _ in FITS])
    together = np.array([random.randrange(9) for _ in neighbours], np.int64)
    row = pack(random.randrange(1, 9), [sku_id(other) for other in neighbours], together, weights)
    ident = sku_id(sku)
    epochs = await tables.fitted.lease([tag_of(ident, 4)], "ann", now_ms)
    await tables.fitted.put(epochs, {ident: b"" if gone else row})


@pytest.mark.parametrize("seed", range(6))
async def test_a_reader_that_has_read_before_says_what_a_new_one_says(tables: MakeTables, seed: int) -> None:
    random, made, prices = Random(seed), tables(), count(1)
    boosted = Policy(category_boosts={"c": 1.5}) if seed % 2 else Policy()
    reader = ViewReader(made, boosted, max_age_s=1)
    await made.dictionary.remember(SKUS)
    for step in range(12):
        for _ in range(random.randrange(3)):
            await place(made, ["".join(random.sample(SKUS, random.randrange(1, 5))) for _ in range(5)])
        if random.random() < 0.4:
            other = random.choice([None, *SKUS])
            await put(made, random.choice(SKUS), next(prices), complement=other)
        if random.random() < 0.5:
            await fit(made, random.choice(SKUS), random, step * 20_000, gone=random.random() < 0.2)
        await reader.read([basket(random.choice(SKUS))], step - 0.3)
        for some in random.sample(SKUS, 4):
            warm = await reader.read([basket(some)], float(step))
            new = await ViewReader(made, boosted, max_age_s=1).read([basket(some)], 0.0)

            assert said(warm, some) == said(new, some), f"step {step}, {some}"


async def test_a_partner_that_was_counted_again_for_one_line_is_for_the_others_too(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["cb"] * 4 + ["d"] * 9)
    reader = ViewReader(made, Policy(), max_age_s=1)

    async def weight(*skus: str, now_s: float) -> float:
        views = await reader.read([basket(*skus)], now_s)
        assert together(views, skus[-1]) == {"b": 4}
        return next(iter(views.lines[skus[-1]].learned.weights().values()))

    before = await weight("a", "c", now_s=0.0)
    await place(made, ["b"] * 5)
    await weight("a", now_s=1.0)

    assert await weight("c", now_s=1.0) < before, "b is ordered more often now"


async def test_rows_are_made_anew_of_the_lines_alone_that_something_changed_for(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["cd"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    await reader.read([basket("a", "c")], 0.0)
    derived: list[list[str]] = []

    def noted(lines: list[int], *rest: Any) -> list[NeighbourRow]:
        derived.append([reader.cache.skus[line] for line in lines])
        return neighbour_rows(lines, *rest)

    monkeypatch.setattr("stream.tables.count_reader.neighbour_rows", noted)
    await reader.read([basket("a", "c")], 1.0)
    await fit(made, "a", Random(1))
    await reader.read([basket("a", "c")], 2.0)
    await reader.read([basket("a", "c")], 3.0)

    assert derived == [["a"]]


async def test_what_was_read_before_a_read_failed_shows_after_it(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tables()
    await place(made, ["ab"] * 4 + ["c"] * 4)
    reader = ViewReader(made, Policy(), max_age_s=1)
    await reader.read([basket("a")], 0.0)
    await fit(made, "a", Random(1))

    async def failing(idents: list[bytes]) -> list[int]:
        raise StateUnavailable("once")

    with monkeypatch.context() as patched:
        patched.setattr(made.neighbours, "order_counts", failing)
        with pytest.raises(StateUnavailable):
            await reader.read([basket("a")], 1.0)
    warm = await reader.read([basket("a")], 1.0)

    assert said(warm, "a") == said(
        await ViewReader(made, Policy(), max_age_s=1).read([basket("a")], 0.0), "a"
    )
