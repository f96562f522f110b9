"""Fitted rows: what is stored, who may store it, what waits, and what serving makes of it."""

from __future__ import annotations

from itertools import count, permutations
from random import Random

import numpy as np
import pytest

from stream.decisions.policy import Policy
from stream.decisions.precision import neighbourhood, precision_weights, supported
from stream.decisions.scorers import FITS, SERVED, line_weights
from stream.ops.tally import Tally
from stream.services.neighbour_fitter import NeighbourFitter
from stream.tables.fitted_row import FITS_ID, pack, unpack
from stream.tables.ids import sku_id, tag_of
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order
from tests.contract.test_views import basket

POLICY = Policy()
SKUS = [f"s{i:02d}" for i in range(30)]


def a_row(orders: int) -> bytes:
    weights = np.arange(2.0 * len(FITS)).reshape(len(FITS), 2)
    return pack(orders, [sku_id("x"), sku_id("y")], np.array([3, 4]), weights)


def test_a_row_is_read_as_it_was_packed() -> None:
    row = unpack(a_row(17))

    assert row.orders == 17
    assert row.neighbours == [sku_id("x"), sku_id("y")]
    assert row.together.tolist() == [3, 4]
    assert row.weights.tolist() == np.arange(2.0 * len(FITS)).reshape(len(FITS), 2).tolist()
    assert unpack(pack(0, [], np.zeros(0, np.int64), np.zeros((len(FITS), 0)))).neighbours == []


async def test_neighbourhoods_of_one_sku_have_no_pair_to_ask_for(tables: MakeTables) -> None:
    """As when Redis was emptied between the list of what waits and the reading of its partners."""
    one, other = sku_id("a"), sku_id("b")

    squares = await tables().fitted.together([[one], [other]], {one: 3, other: 0})

    assert [square.tolist() for square in squares] == [[[0]], [[0]]]
    assert await tables().fitted.together([], {}) == []


async def test_rows_are_put_by_the_owner_of_the_lease_alone(tables: MakeTables) -> None:
    fitted = tables().fitted
    ident = sku_id("a")
    tag = tag_of(ident, 4)

    first = await fitted.lease([tag], "ann", 1_000, 500)
    assert first[tag]
    assert await fitted.lease([tag], "bob", 1_499, 500) == {}
    assert await fitted.lease([tag], "ann", 1_499, 500) == first
    second = await fitted.lease([tag], "bob", 2_000, 500)
    assert second[tag]
    assert second != first
    assert await fitted.put(first, {ident: a_row(1)}) == 0
    assert await fitted.read([ident]) == [b""]
    assert await fitted.put(second, {ident: a_row(2)}) == 1
    assert await fitted.read([ident, sku_id("b")]) == [a_row(2), b""]


async def test_putting_rows_ends_the_lease_on_their_tags_and_no_other(tables: MakeTables) -> None:
    fitted = tables().fitted
    ident = sku_id("a")
    tag, other, third = (tag_of(ident, 4) + n for n in range(3))
    other, third = other % 4, third % 4
    epochs = await fitted.lease([tag, other], "ann", 1_000, 500)
    await fitted.put(epochs, {ident: a_row(1)})

    assert sorted(await fitted.lease([tag, other, third], "bob", 1_001, 500)) == sorted([tag, third])


async def test_a_put_that_comes_too_late_does_not_end_the_lease_of_another(tables: MakeTables) -> None:
    fitted = tables().fitted
    ident = sku_id("a")
    tag = tag_of(ident, 4)
    late = await fitted.lease([tag], "ann", 1_000, 500)
    await fitted.lease([tag], "bob", 1_500, 500)

    assert await fitted.put(late, {ident: a_row(1)}) == 0
    assert await fitted.lease([tag], "ann", 1_501, 500) == {}


async def test_a_row_of_other_fits_is_none(tables: MakeTables) -> None:
    fitted = tables().fitted
    ident = sku_id("a")
    tag = tag_of(ident, 4)
    await fitted.put(await fitted.lease([tag], "ann", 1, 500), {ident: bytes(4) + a_row(1)[4:]})

    assert bytes(4) != FITS_ID
    assert await fitted.read([ident]) == [b""]


async def test_what_waits_longest_comes_first_and_a_second_mark_changes_nothing(tables: MakeTables) -> None:
    fitted = tables(tags=1).fitted
    a, b, c = (sku_id(sku) for sku in "abc")
    await fitted.mark([b], 10)
    await fitted.mark([a, b], 20)
    await fitted.mark([c], 15)
    await fitted.mark([], 30)

    assert await fitted.waiting(2) == [(3, [(10, b), (15, c)])]
    await fitted.put(await fitted.lease([0], "ann", 40), {b: a_row(1)})
    assert await fitted.waiting(9) == [(2, [(15, c), (20, a)])]


async def place(tables: Tables, orders: list[list[str]]) -> None:
    owner = await tables.fences.take(TOPIC, 0)
    first = owner.lowest_fence + 1
    await tables.dictionary.remember({sku for skus in orders for sku in skus})
    for start in range(0, len(orders), 20):
        some = orders[start : start + 20]
        at = first + start
        await tables.orders.place(owner, [(at + i, order(f"{at + i}", skus)) for i, skus in enumerate(some)])
        await tables.fences.move(owner, at + len(some) - 1, owner.watermark)


def random_orders(seed: int, number: int = 120) -> list[list[str]]:
    dice = Random(seed)
    return [
        sorted({SKUS[min(dice.randrange(30), dice.randrange(30))] for _ in range(dice.randrange(1, 7))})
        for _ in range(number)
    ]


async def fit_everything(tables: Tables, noted: set[bytes], tally: Tally | None = None) -> None:
    waiting, clock = [noted], count(1_000)
    fitter = NeighbourFitter(tables, lambda: waiting.pop() if waiting else set(), tally or Tally(), "me")
    while await fitter.turn(lambda: next(clock)):
        pass


async def test_a_fit_is_the_closed_form_over_partners_and_heads(tables: MakeTables) -> None:
    made = tables()
    orders = random_orders(1)
    await place(made, orders)
    tally = Tally()

    n = {sku: sum(sku in held for held in orders) for sku in SKUS}
    ordered = [sku for sku in SKUS if n[sku]]

    await fit_everything(made, {sku_id(sku) for sku in ordered}, tally)

    pairs = [pair for held in orders for pair in permutations(held, 2)]
    rows = await made.fitted.read([sku_id(sku) for sku in ordered])
    names = {sku_id(sku): sku for sku in SKUS}
    heads = sorted(ordered, key=lambda sku: (-n[sku], sku_id(sku)))
    for sku, raw in zip(ordered, rows, strict=True):
        row = unpack(raw)
        met = sorted({b for a, b in pairs if a == sku}, key=lambda b: (-pairs.count((sku, b)), b))
        members = [sku, *(names[ident] for ident in row.neighbours)]
        assert row.orders == n[sku]
        assert set(members[1 : 1 + len(met)]) == set(met)
        assert members == neighbourhood(sku, members[1 : 1 + len(met)], heads)
        together = np.array([[pairs.count((a, b)) for b in members] for a in members])
        expected = precision_weights(together[None], np.array([[n[m] for m in members]]), list(FITS.values()))
        assert row.weights == pytest.approx(expected[0], abs=1e-6)
        assert row.together.tolist() == together[0, 1:].tolist()
    assert sum(n for name, n in tally.counts.items() if name.startswith("fits.within")) == len(ordered)
    assert await made.fitted.waiting(9) == [(0, [])] * 4


async def test_a_line_speaks_by_its_fit_once_it_is_there_and_by_the_baseline_until_then(
    tables: MakeTables,
) -> None:
    made = tables()
    orders = random_orders(3)
    await place(made, orders)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    sku = SKUS[2]
    before = await reader.read([basket(sku)], 0.0)
    baseline = before.lines[sku].learned

    noted = reader.noted()
    assert noted == {sku_id(sku)}
    assert reader.noted() == set()
    await fit_everything(made, noted)
    after = await reader.read([basket(sku)], 10.0)

    [fitted] = await made.fitted.read([sku_id(sku)])
    row = unpack(fitted)
    held = {ident: SKUS[[sku_id(each) for each in SKUS].index(ident)] for ident in row.neighbours}
    n = np.array([sum(held[ident] in each for each in orders) for ident in row.neighbours])
    met = np.array([sum(sku in each and held[ident] in each for each in orders) for ident in row.neighbours])
    claimed = supported(row.weights[list(FITS).index(SERVED.weights)], met, POLICY.min_together)
    weights = line_weights(SERVED, claimed, n)
    expected = {held[i]: w for i, w in zip(row.neighbours, weights.tolist(), strict=True) if w}
    served = after.lines[sku].learned
    assert baseline is not None
    assert served is not None
    names = [after.skus[item] for item in served.candidates()]
    assert dict(zip(names, served.whole_weights(), strict=True)) == expected
    together = dict(zip(names, served.counts(), strict=True))
    assert together == {other: sum(sku in each and other in each for each in orders) for other in expected}
    assert served.orders == baseline.orders
    assert served.candidates() != baseline.candidates()
    assert reader.noted() == set(), "nothing was ordered since the fit"


async def test_a_line_is_noted_again_when_its_orders_outgrow_its_fit(tables: MakeTables) -> None:
    made = tables()
    await place(made, [["a", "b"]] * 30)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    await reader.read([basket("a")], 0.0)
    await fit_everything(made, reader.noted())

    await place(made, [["a", "c"]] * 2)
    await reader.read([basket("a")], 10.0)
    assert reader.noted() == set()
    await place(made, [["a", "c"]] * 1)
    await reader.read([basket("a")], 20.0)
    assert reader.noted() == {sku_id("a")}
