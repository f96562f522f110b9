"""The fitter beside the agents: who fits what, in which order, and when the most ordered SKUs are counted again."""

from __future__ import annotations

from itertools import count

import pytest

from stream.ops.tally import Tally
from stream.services import neighbour_fitter
from stream.services.neighbour_fitter import NeighbourFitter
from stream.tables.ids import sku_id, tag_of
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.test_fitted import POLICY, SKUS, a_row, fit_everything, place, random_orders
from tests.contract.test_views import basket


async def test_several_workers_share_the_work_and_none_is_done_twice(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour_fitter, "FITS_AT_ONCE", 8)
    made = tables(tags=1)
    await place(made, random_orders(2))
    await made.fitted.mark({sku_id(sku) for sku in SKUS}, 1)
    one, other = (NeighbourFitter(made, set, Tally(), name) for name in ("one", "other"))
    await made.fitted.lease([0], "somebody who died", 1_000, 500)

    assert await one.turn(lambda: 1_400) == 0
    done = [await each.turn(lambda: 1_600) for each in (one, other, one, other, one)]

    assert done == [8, 8, 8, len(SKUS) - 3 * 8, 0]


async def test_no_tag_waits_for_another_that_always_has_enough_to_fit(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour_fitter, "FITS_AT_ONCE", 2)
    made = tables()
    by_tag: dict[int, list[bytes]] = {}
    for ident in map(sku_id, SKUS):
        by_tag.setdefault(tag_of(ident, 4), []).append(ident)
    busy = max(by_tag, key=lambda tag: len(by_tag[tag]))
    fitter = NeighbourFitter(made, lambda: set(by_tag[busy]), Tally(), "me")
    await made.fitted.mark([some[0] for some in by_tag.values()], 1_000)

    clock = count(2_000)
    for _ in range(4):
        assert await fitter.turn(lambda: next(clock))

    waiting = await made.fitted.waiting(9)
    assert [total for tag, (total, _) in enumerate(waiting) if tag != busy] == [0, 0, 0]
    assert waiting[busy].total > 0


async def test_a_sku_waits_from_the_look_before_it_was_noted(tables: MakeTables) -> None:
    """How long before the present look a reader noted it nobody knows: no lag is told shorter than it was."""
    made, tally = tables(), Tally()
    await place(made, random_orders(5))
    noted = iter([set[bytes](), {sku_id(SKUS[0])}])
    times = iter([1_000, 4_000, 4_001, 4_002])
    fitter = NeighbourFitter(made, lambda: next(noted), tally, "me")

    assert await fitter.turn(lambda: next(times)) == 0
    assert await fitter.turn(lambda: next(times)) == 1

    assert {name: n for name, n in tally.counts.items() if n} == {"fits.later": 1, "fits.waiting": 1}


async def test_a_fit_of_a_sku_that_nobody_orders_any_more_is_forgotten(tables: MakeTables) -> None:
    made = tables()
    await place(made, [["a", "b"]] * 4)
    rows = {sku_id(sku): a_row(7) for sku in ("gone", "looked at")}
    for ident, row in rows.items():
        tag = tag_of(ident, 4)
        await made.fitted.put(await made.fitted.lease([tag], "me", 1), {ident: row})
        await made.fitted.lease([tag], "me", 1, 0)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    await reader.read([basket("a", "looked at")], 0.0)

    await fit_everything(made, reader.noted())

    found = await made.fitted.read([sku_id(sku) for sku in ("a", "gone", "looked at")])
    assert [bool(row) for row in found] == [True, False, False]


async def test_heads_are_counted_again_when_orders_grew_by_a_tenth_or_many_fits_were_made(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour_fitter, "HEADS_EVERY_FITS", 3)
    made = tables()
    await place(made, [["a", "b"]] * 30)
    counted = []
    for noted in ("a", "b", "a", "b"):
        await fit_everything(made, {sku_id(noted)})
        counted.append(await made.fitted.heads_counted())
    await place(made, [["c", "d"]] * 4)
    assert await made.fitted.heads(9) == sorted([sku_id("a"), sku_id("b")])
    await fit_everything(made, {sku_id("c")})

    assert [tuple(each) for each in counted] == [(30, 1), (30, 2), (30, 3), (30, 1)]
    assert tuple(await made.fitted.heads_counted()) == (34, 1)
    assert len(await made.fitted.heads(9)) == 4


async def test_baskets_that_wait_are_given_room_between_two_steps(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour_fitter, "REST", 1e9)
    monkeypatch.setattr(neighbour_fitter, "LONGEST_REST_S", 60.0)
    made = tables(tags=1)
    await place(made, random_orders(4))
    looks = iter([True, True, False])
    fitter = NeighbourFitter(made, lambda: {sku_id(SKUS[0])}, Tally(), "me", lambda: next(looks))

    assert await fitter.turn(lambda: 1_000) == 1

    assert list(looks) == []
