"""What is decided from counts in memory is what a worker decides from the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from random import Random

import msgspec
import pytest

from stream.codec import encode
from stream.decisions.decide import decide_batch
from stream.decisions.habits import habits_of
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.scorers import FILL, GRID, Scorer
from stream.decisions.window import DAY_MS
from stream.evaluation.deciding import Decider
from stream.evaluation.neighbourhoods import Neighbourhoods
from stream.evaluation.numbered import NOBODY, NumberedOrder
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.sampling import RecentOrders
from stream.events import Line
from stream.history.catalogue import CatalogItem
from stream.history.events import product_event
from stream.settings import load_settings
from stream.tables.ids import sku_id
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.orders import START, TOPIC, order
from tests.contract.test_fitted import fit_everything

POLICY = Policy()
SKUS = [f"{i:02d}" for i in range(62)]
PRINTER, INK = 60, 61
"""Bought by themselves."""
AT_MS = int(START.timestamp() * 1_000)
ME, MINE = 0, [3, 17, 20, 41]
"""The customer who is asked for, and what they bought in one order."""


def bought(dice: Random) -> list[int]:
    """An order: a circle of six mostly, of sixty."""
    circle = 6 * min(dice.randrange(10), dice.randrange(10))
    return sorted(
        {circle + dice.randrange(6) if dice.random() < 0.7 else dice.randrange(60) for _ in range(4)}
    )


def history_of(dice: Random) -> list[NumberedOrder]:
    """Three hundred orders, seven in ten on the web, and customers who come back for ink some days after a printer."""
    bare = [(NOBODY, bought(dice), 0) for _ in range(300)] + [(ME, MINE, 0)]
    bare += [(customer, [item], day) for customer in range(1, 6) for item, day in ((PRINTER, 0), (INK, 4))]
    return [
        NumberedOrder(str(at), customer, tuple(items), AT_MS + day * DAY_MS, "web" if at % 10 < 7 else "pos")
        for at, (customer, items, day) in enumerate(bare)
    ]


async def sell(tables: Tables, orders: Sequence[NumberedOrder], catalogue: Sequence[CatalogItem]) -> None:
    """The same orders and products, in the tables."""
    owner = await tables.fences.take(TOPIC, 0)
    await tables.dictionary.remember(set(SKUS))
    for at, item in enumerate(catalogue):
        event = product_event(item, "EUR", START)
        await tables.catalogue.put(0, [(at, item.sku, event, encode(event))])
    placed = [
        msgspec.structs.replace(
            order(
                each.order_id,
                [SKUS[item] for item in each.items],
                day=(each.at_ms - AT_MS) / DAY_MS,
                customer=None if each.customer == NOBODY else str(each.customer),
            ),
            channel=each.channel,
        )
        for each in orders
    ]
    await tables.orders.place(owner, list(enumerate(placed)))
    await fit_everything(tables, {sku_id(sku) for sku in SKUS})


def recent(orders: Sequence[NumberedOrder]) -> RecentOrders:
    """The same orders as an evaluation remembers them."""
    diaries: dict[int, tuple[list[int], list[int]]] = {}
    newest = RecentOrders(diaries)
    for each in orders:
        newest.add(each)
        items, panes = diaries.setdefault(each.customer, ([], []))
        items += each.items
        panes += [each.at_ms // DAY_MS] * len(each.items)
    return newest


SHOP = [
    CatalogItem(
        sku=sku,
        title=f"Product {sku}",
        category=("shop", f"shelf {min(item, 59) // 3}"),
        price=Decimal(10 + item % 4),
        range_id=f"range {item // 4}" if 30 <= item < PRINTER else None,
        rung=item % 4 if 30 <= item < PRINTER else None,
    )
    for item, sku in enumerate(SKUS)
]


@pytest.mark.parametrize("catalogue", [(), SHOP], ids=["alone", "catalogue"])
@pytest.mark.parametrize("scorer", GRID, ids=lambda scorer: scorer.name)
async def test_a_decision_from_counts_is_that_of_a_worker(
    scorer: Scorer, catalogue: Sequence[CatalogItem]
) -> None:
    dice = Random(6)
    orders = history_of(dice)
    tables, counts = Tables(MemoryStore(), load_settings({}, tags=4)), PairCounts(SKUS)
    await sell(tables, orders, catalogue)
    for each in orders:
        counts.add(each.items)
    await tables.scorers.serve(scorer.name)
    reader = ViewReader(tables, POLICY, max_age_s=0.0)
    habits = habits_of(MINE, [AT_MS // DAY_MS] * len(MINE), DAY_MS)
    decider = Decider(counts, Neighbourhoods(counts), SKUS, POLICY, catalogue, "EUR", recent(orders))

    told: Counter[str] = Counter()
    for turn in range(18):
        lines, channel = [PRINTER] if turn > 15 else bought(dice), "pos" if turn % 3 else "web"
        basket = Basket(
            suggestion_id="",
            basket_id="",
            channel=channel,
            currency="EUR",
            lines=[
                Line(SKUS[line], 1, 100 * int(SHOP[line].price or 0) if catalogue else 0) for line in lines
            ],
            max_offers=10,
            at_ms=AT_MS,
            customer=str(ME) if turn % 2 else None,
        )
        views = await reader.read([basket], float(turn))
        [by_worker] = decide_batch([basket], views, POLICY, AT_MS)
        whose = habits if turn % 2 else None
        mine = decider.decide(lines, scorer, whose, AT_MS, measured=True, channel=channel)
        assert mine == by_worker.offers
        told.update(offer.reason.code for offer in mine)
        told.update(str(offer.reason.evidence.get("segment")) for offer in mine)

    assert told.total() > 36
    if scorer.popular > FILL:
        assert told["channel web"]
        assert told["all customers"]
    else:
        assert told["BOUGHT_LATER"]
        assert bool(told["CATEGORY_PAIR"]) is bool(told["NEXT_RUNG"]) is bool(catalogue)


def test_what_is_offered_in_a_lines_place_is_ranked_where_it_would_be_added() -> None:
    skus = ["bag", "bigger bag", "tag", "strap"]
    counts = PairCounts(skus)
    for n in range(800):
        counts.add([item for item in range(4) if (n >> item) % 2 or (item == 2 and n % 3 == 0)])
    bags = [
        CatalogItem(sku=sku, title=sku, price=Decimal(price), range_id="bags", rung=rung)
        for rung, (sku, price) in enumerate((("bag", 10), ("bigger bag", 12)))
    ]
    decider = Decider(counts, Neighbourhoods(counts), skus, POLICY, bags, "EUR")
    popular = next(scorer for scorer in GRID if scorer.name == "popularity")

    offers = decider.decide([0], popular, None, AT_MS, measured=True)

    assert [(offer.kind, offer.sku) for offer in offers] == [
        ("upsell", "bigger bag"),
        ("cross_sell", "tag"),
        ("cross_sell", "strap"),
    ]
    # Bags are bought together as chance has it: the bigger one might be added as well, between the two.
    assert decider.offers([0], popular, None, AT_MS, measured=True) == [2, 1, 3]
    assert decider.offers([0], popular, None, AT_MS, measured=True, most=2) == [2, 1]
    assert decider.offers([0], popular, None, AT_MS, measured=True, most=1) == [2]


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
    # What takes a line's place is asked for besides: it costs no place among those that are ranked.
    assert decider.offers([0], GRID[2], None, AT_MS, measured=True) == [2]
    alone = decider.decide([0], GRID[2], None, AT_MS, measured=True, most=1)
    assert [offer.kind for offer in alone] == ["upsell"]
    assert decider.offers([0], GRID[2], None, AT_MS, measured=True, most=1) == [2]
