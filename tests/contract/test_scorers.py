"""The stream as its own test set: orders are measured before they are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from stream.commands.scorers import scorer_report
from stream.decisions.hide_one import is_sampled
from stream.decisions.policy import Policy
from stream.events import OrderPlaced
from stream.ops.tally import Tally
from stream.services.partition_tally import MOST_A_SECOND, ONE_IN
from stream.services.scorer_watch import NAMES, ScorerWatch
from stream.tables.ids import sku_id
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.measured_orders import arrivals, paired_orders
from tests.contract.orders import TOPIC, order
from tests.contract.test_fitted import fit_everything, place

POLICY = Policy()


async def test_where_items_go_together_a_sample_of_orders_says_so_before_it_is_counted(
    tables: MakeTables,
) -> None:
    made = tables()
    orders = paired_orders(1, 300)
    await place(made, orders)
    await fit_everything(made, {sku_id(sku) for skus in orders for sku in skus})
    reader, tally = ViewReader(made, POLICY, max_age_s=1.0), Tally()
    watch = ScorerWatch(made, reader, POLICY, tally)
    later = arrivals(order(f"later-{i}", skus) for i, skus in enumerate(paired_orders(2, 240)))

    for at in range(0, 240, 10):
        await watch.measure("orders/0", 1, later[at : at + 10], float(at))

    sampled = [each for each in later if is_sampled(each.order.order_id, ONE_IN)]
    report = scorer_report(await made.scorers.read(NAMES))
    assert report["measured"] == tally.counts["scorers.measured"] == len(sampled)
    assert report["partitions"] == 1
    assert report["scores"]["precision-20"]["hr@10"] > report["scores"]["popularity"]["hr@10"]
    assert report["scores"]["popularity"]["lead"] == 0
    assert report["scores"]["popularity"]["hr@10"] > 0
    assert report["selected"] != "popularity"
    assert tally.counts["scorers.orders"] >= 100
    assert tally.counts["scorers.hits.precision-20"] > 0
    assert (await made.neighbours.total_orders()) == 300, "nothing is counted by being measured"


async def test_partitions_measured_side_by_side_see_the_heads_as_a_whole(
    tables: MakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits for its views while another one finds the first heads, and waits for their orders."""
    made, orders = tables(), paired_orders(1, 60)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    watch = ScorerWatch(made, reader, POLICY, Tally())
    log = arrivals(order(f"later-{i}", skus) for i, skus in enumerate(orders))
    reading, counting = Halt(reader.read), Halt(made.neighbours.order_counts)
    monkeypatch.setattr(reader, "read", reading)
    one = asyncio.create_task(watch.measure("orders/0", 1, log, 0.0))
    await reading.reached.wait()
    await place(made, orders)
    await fit_everything(made, {sku_id(sku) for skus in orders for sku in skus})
    monkeypatch.setattr(made.neighbours, "order_counts", counting)
    other = asyncio.create_task(watch.measure("orders/1", 1, log, 10.0))
    await counting.reached.wait()

    reading.go_on.set()
    await one
    counting.go_on.set()
    await other

    assert (await made.scorers.read(NAMES)).tally.orders > 0


class Halt:
    """A coroutine function whose first call stands still until it may go on."""

    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self._call = call
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        return await self._call(*args, **kwargs)


async def test_where_customers_come_back_for_the_same_their_own_orders_are_measured_to_know(
    tables: MakeTables,
) -> None:
    made, dice = tables(), Random(1)
    names = [f"customer-{n}" for n in range(30)]

    def habitual(name: str, number: int, some: str) -> OrderPlaced:
        return order(f"{some}-{name}-{number}", [f"{name}-a", f"{name}-b", dice.choice("xyz")], customer=name)

    taught = [habitual(name, n, "taught") for n in range(2) for name in names]
    await made.dictionary.remember({line.sku for each in taught for line in each.lines})
    await made.orders.place(await made.fences.take(TOPIC, 0), list(enumerate(taught)))
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally())

    await watch.measure("orders/0", 1, arrivals(habitual(name, 0, "later") for name in names), 0.0)

    found = await made.scorers.read(NAMES)
    hits = dict(zip(NAMES, found.tally.hits.tolist(), strict=True))
    assert found.tally.orders > 5
    assert hits["bought-before"] > max(hits["popularity"], hits["baseline"])
    assert hits["baseline+own"] > hits["baseline"]


async def test_of_a_busy_second_a_few_orders_are_measured_and_an_order_of_one_sku_never(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, paired_orders(3, 40))
    tally = Tally()
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, tally)
    batch = arrivals((order(f"o{i}", skus) for i, skus in enumerate(paired_orders(4, 200))), at_ms=5_999)

    await watch.measure("orders/0", 1, arrivals(order(f"o{i}", ["a"]) for i in range(50)), 0.0)
    assert tally.counts["scorers.measured"] == 0
    await watch.measure("orders/0", 1, batch[:150], 1.0)
    await watch.measure("orders/0", 1, batch[150:], 1.0)
    assert tally.counts["scorers.measured"] == MOST_A_SECOND
    await watch.measure(
        "orders/0", 1, [each._replace(offset=300 + each.offset, at_ms=6_000) for each in batch], 1.0
    )
    assert tally.counts["scorers.measured"] == 2 * MOST_A_SECOND


async def test_before_any_fit_all_fits_say_what_the_baseline_says(tables: MakeTables) -> None:
    made = tables(tags=1)
    orders = paired_orders(5, 60)
    await place(made, orders)
    await made.fitted.count_heads(10)
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally())
    batch = arrivals(order(f"o{i}", skus) for i, skus in enumerate(paired_orders(6, 200)))
    await watch.measure("orders/0", 1, batch, 0.0)

    found = await made.scorers.read(NAMES)
    hits = dict(zip(NAMES, found.tally.hits.tolist(), strict=True))
    assert hits["baseline"] == hits["precision-20"] > 0
    assert hits["popularity"] > 0, "the heads are known"


async def test_a_shop_without_orders_measures_nothing_it_knows(tables: MakeTables) -> None:
    made = tables()
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally())
    for i in range(20):
        await watch.measure("orders/0", 1, arrivals([order(f"o{i}", "ab")], first=i), 0.0)

    found = await made.scorers.read(NAMES)
    assert found.tally.orders > 0
    assert found.tally.hits.tolist() == [0] * len(NAMES)
    assert scorer_report(found)["selected"] == "popularity"
