"""The counts in memory are those of the tables: the same orders, the same partner lists."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from stream.decisions.precision import neighbourhood
from stream.evaluation import pair_counts
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.pair_store import MOST_RECENT, Pairs, SparsePairs, SquarePairs
from stream.settings import load_settings
from stream.tables.ids import sku_id
from stream.tables.memory_store import MemoryStore
from stream.tables.neighbours import MOST_PARTNERS, unpack
from stream.tables.tables import Tables
from tests.contract.orders import TOPIC, order

SKUS = [f"sku{i:03d}" for i in range(120)]
FORMS = pytest.mark.parametrize("form", [SquarePairs, SparsePairs])


def random_orders(dice: Random, count: int) -> list[list[str]]:
    """Orders of one to seventy SKUs, popular ones more often."""
    return [
        sorted(
            {SKUS[min(dice.randrange(120), dice.randrange(120))] for _ in range(dice.choice([1, 3, 8, 90]))}
        )
        for _ in range(count)
    ]


@FORMS
@pytest.mark.parametrize("seed", [1, 2])
async def test_partner_lists_and_order_counts_are_those_of_the_tables(
    form: Callable[[int], Pairs], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_counts, "pairs_of", form)
    orders = random_orders(Random(seed), 60)
    tables = Tables(MemoryStore(), load_settings({}, tags=4))
    counts = PairCounts(SKUS)
    owner = await tables.fences.take(TOPIC, 0)
    for start in range(0, 60, 20):
        some = orders[start : start + 20]
        await tables.orders.place(owner, [(start + i, order(f"{start + i}", s)) for i, s in enumerate(some)])
        await tables.fences.move(owner, start + 19, owner.watermark)
        for skus in some:
            counts.add([SKUS.index(sku) for sku in skus])

        packed = await tables.neighbours.read([sku_id(sku) for sku in SKUS])
        assert counts.total == await tables.neighbours.total_orders()
        for item, raw in enumerate(packed):
            total, idents, together = unpack(raw)
            others, held = counts.partners(item, MOST_PARTNERS)
            assert counts.orders[item] == total
            assert [sku_id(SKUS[other]) for other in others] == idents
            assert held.tolist() == together.tolist()


@FORMS
def test_a_square_holds_what_a_recount_finds(form: Callable[[int], Pairs]) -> None:
    dice = Random(3)
    orders = [dice.sample(range(40), dice.randrange(1, 9)) for _ in range(2 * MOST_RECENT + 30)]
    pairs = form(40)
    for at, items in enumerate(orders, 1):
        pairs.add(items)
        if at % 50 == 0 or at == len(orders):
            asked = dice.sample(range(40), 12)
            expected = [
                [0 if i == j else sum(i in o and j in o for o in orders[:at]) for j in asked] for i in asked
            ]
            assert pairs.square(asked).tolist() == expected


@FORMS
def test_an_item_that_was_never_ordered_has_no_partners(form: Callable[[int], Pairs]) -> None:
    pairs = form(3)
    pairs.add([0, 1])

    assert [part.tolist() for part in pairs.row(2)] == [[], []]
    assert pairs.square([2]).tolist() == [[0]]


def test_heads_are_the_most_ordered_then_by_id() -> None:
    counts = PairCounts(["a", "b", "c", "d"])
    for items in ([0, 2], [2], [1]):
        counts.add(items)

    assert sku_id("a") < sku_id("b")
    assert counts.heads(10).tolist() == [2, 0, 1]
    assert counts.heads(2).tolist() == [2, 0]
    assert neighbourhood(2, [], counts.heads(2).tolist()) == [2, 0]
