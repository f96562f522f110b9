"""What is decided from counts in memory is what a worker decides from the tables."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec
import pytest

from stream.decisions.decide import decide_batch
from stream.decisions.habits import habits_of
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID, Scorer
from stream.decisions.window import DAY_MS
from stream.evaluation.deciding import Decider
from stream.evaluation.neighbourhoods import Neighbourhoods
from stream.evaluation.pair_counts import PairCounts
from stream.events import Line
from stream.history.catalogue import CatalogItem
from stream.settings import load_settings
from stream.tables.ids import sku_id
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.orders import START, TOPIC, order
from tests.contract.test_fitted import fit_everything

POLICY = Policy()
SKUS = [f"{i:02d}" for i in range(60)]
AT_MS = int(START.timestamp() * 1_000)
MINE = [3, 17, 20, 41]
"""What the customer who is asked for bought in one order."""


def bought(dice: Random) -> list[int]:
    """An order: a circle of six mostly, of sixty."""
    circle = 6 * min(dice.randrange(10), dice.randrange(10))
    return sorted(
        {circle + dice.randrange(6) if dice.random() < 0.7 else dice.randrange(60) for _ in range(4)}
    )


@pytest.mark.parametrize("scorer", GRID, ids=lambda scorer: scorer.name)
async def test_a_decision_from_counts_is_that_of_a_worker(scorer: Scorer) -> None:
    dice = Random(6)
    orders = [bought(dice) for _ in range(300)] + [MINE]
    tables, counts = Tables(MemoryStore(), load_settings({}, tags=4)), PairCounts(SKUS)
    owner = await tables.fences.take(TOPIC, 0)
    placed = [
        (at, order(str(at), [SKUS[item] for item in items], customer="me" if items is MINE else None))
        for at, items in enumerate(orders)
    ]
    await tables.dictionary.remember(set(SKUS))
    await tables.orders.place(owner, placed)
    for items in orders:
        counts.add(items)
    await fit_everything(tables, {sku_id(SKUS[item]) for items in orders for item in items})
    await tables.scorers.serve(scorer.name)
    reader = ViewReader(tables, POLICY, max_age_s=0.0)
    habits = habits_of(MINE, [AT_MS // DAY_MS] * len(MINE), DAY_MS)
    decider = Decider(counts, Neighbourhoods(counts), SKUS, POLICY, (), "EUR")

    offered = 0
    for turn in range(12):
        lines = bought(dice)
        basket = Basket(
            suggestion_id="",
            basket_id="",
            channel="web",
            currency="EUR",
            lines=[Line(SKUS[line], 1, 0) for line in lines],
            max_offers=10,
            at_ms=AT_MS,
            customer="me" if turn % 2 else None,
        )
        views = await reader.read([basket], float(turn))
        [by_worker] = decide_batch([basket], views, POLICY, AT_MS)
        mine = decider.decide(lines, scorer, habits if turn % 2 else None, AT_MS, measured=True)
        assert mine == by_worker.offers
        offered += len(mine)

    assert offered > 12


def test_with_a_catalogue_its_rules_decide_too() -> None:
    counts = PairCounts(["bag", "bigger bag", "tag"])
    for _ in range(9):
        counts.add([0, 2])
        counts.add([1])
    bags = [
        CatalogItem(sku=sku, title=sku, price=Decimal(price), range_id="bags", rung=rung)
        for rung, (sku, price) in enumerate((("bag", 10), ("bigger bag", 12), ("never ordered", 14)))
    ]
    decider = Decider(counts, Neighbourhoods(counts), ["bag", "bigger bag", "tag"], POLICY, bags, "EUR")

    offers = decider.decide([0], GRID[2], None, AT_MS, measured=True)

    assert [(offer.kind, offer.sku) for offer in offers] == [("upsell", "bigger bag"), ("cross_sell", "tag")]
    assert msgspec.json.encode(offers[0])
    assert decider.offers([0], GRID[2], None, AT_MS, measured=True) == [1, 2]
