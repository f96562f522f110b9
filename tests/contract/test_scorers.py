"""The stream as its own test set: orders are measured before they are counted, and workers' tallies add up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from stream.commands.scorers import scorer_report
from stream.decisions.hide_one import is_sampled
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer
from stream.decisions.selection import BLOCK_ORDERS, CHOSEN_FROM, MISSED, empty_tally, merged, tally_of
from stream.events import OrderPlaced
from stream.ops.tally import Tally
from stream.services.partition_tally import MOST_A_SECOND, ONE_IN, Arrival, PartitionTally
from stream.services.scorer_watch import NAMES, ScorerWatch
from stream.tables.ids import sku_id
from stream.tables.scorers import SLOTS, Block, block_of
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order
from tests.contract.test_fitted import fit_everything, place
from tests.contract.test_views import basket

POLICY = Policy()


def paired_orders(seed: int, number: int) -> list[list[str]]:
    """A SKU of one letter is mostly bought with its capital; staples with everything."""
    dice, made = Random(seed), []
    for _ in range(number):
        one = dice.choice("abcdefghijkl")
        made.append(sorted({one, one.upper(), *(f"s{i}" for i in range(12) if dice.random() < 0.3)}))
    return made


def arrivals(orders: Iterable[OrderPlaced], *, first: int = 0, at_ms: int | None = None) -> list[Arrival]:
    """These orders on a log, one a second unless all are of one moment."""
    return [
        Arrival(each, first + i, 1_000 * (first + i) if at_ms is None else at_ms)
        for i, each in enumerate(orders)
    ]


def a_block(*ranks: list[int], names: list[str], number: int = 0) -> Block:
    """A block of these measured orders."""
    tally = merged([tally_of(np.array(each)) for each in ranks], empty_tally(len(names)))
    return block_of(tally, names, number=number, last_offset=number, second=0, in_second=0)


async def test_the_tallies_of_partitions_add_up_and_those_of_other_grids_do_not_count(
    tables: MakeTables,
) -> None:
    made = tables().scorers
    one, other = [[0, MISSED], [7, 2]], [MISSED, 4]

    await made.keep("orders/0", [a_block(other, names=["x", "y"])])
    await made.keep("orders/0", [a_block(*one, names=["x", "y"])])
    await made.keep("orders/1", [a_block(other, names=["x", "y"])])
    await made.keep("orders/2", [a_block(other, names=["x", "z"])])
    found = await made.read(["x", "y"])

    assert (found.partitions, found.serving) == (2, None)
    assert found.tally.orders == 3
    assert found.tally.hits.tolist() == [2, 2]
    assert found.tally.beats.tolist() == [[0, 1], [1, 0]]
    await made.serve("y")
    assert (await made.serving(), (await made.read(["x", "y"])).serving) == ("y", "y")
    assert (await made.read(["x", "y"])).tally.orders == 3


async def test_of_a_partition_the_newest_blocks_are_remembered(tables: MakeTables) -> None:
    made = tables().scorers
    for number in range(SLOTS + 5):
        await made.keep("orders/0", [a_block([number, MISSED], names=["x", "y"], number=number)])

    found = await made.of("orders/0", ["x", "y"])

    assert [block.number for block in found] == list(range(5, SLOTS + 5))
    assert await made.of("orders/0", ["x", "z"]) == []
    await made.keep("orders/0", [a_block([0, 0], names=["x", "z"], number=0)])
    assert [block.number for block in await made.of("orders/0", ["x", "y"])] == [
        number for number in range(5, SLOTS + 5) if number % SLOTS
    ]


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


async def test_a_partition_that_is_taken_again_goes_on_where_its_tally_stands(tables: MakeTables) -> None:
    made = tables()
    await place(made, paired_orders(1, 40))
    log = arrivals(order(f"o{i}", skus) for i, skus in enumerate(paired_orders(2, 60)))
    tallies = {}
    for source, cuts in (("cut/0", (0, 7, 8, 31, 60)), ("whole/0", (0, 60))):
        for assignment, (start, end) in enumerate(pairwise(cuts)):
            watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally())
            await watch.measure(source, assignment, log[max(0, start - 5) : end], float(end))
            await watch.measure(source, assignment, log[max(0, start - 3) : end], float(end))
        tallies[source] = await made.scorers.of(source, NAMES)

    assert tallies["cut/0"] == tallies["whole/0"]
    assert tallies["whole/0"][-1].orders == sum(is_sampled(each.order.order_id, ONE_IN) for each in log)


async def test_another_owner_of_a_partition_is_taken_over_from(tables: MakeTables) -> None:
    made = tables()
    await place(made, paired_orders(1, 40))
    log = arrivals(order(f"o{i}", skus) for i, skus in enumerate(paired_orders(2, 60)))
    first, second = (
        ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally()) for _ in range(2)
    )

    await first.measure("orders/0", 1, log[:20], 1.0)
    await second.measure("orders/0", 1, log[20:40], 2.0)
    await first.measure("orders/0", 2, log[30:], 3.0)

    [block] = await made.scorers.of("orders/0", NAMES)
    assert block.orders == sum(is_sampled(each.order.order_id, ONE_IN) for each in log)
    assert block.last_offset == max(each.offset for each in log if is_sampled(each.order.order_id, ONE_IN))


async def test_blocks_that_could_not_be_kept_are_kept_with_the_next_ones() -> None:
    partition = PartitionTally(["x"], [])
    for arrival in arrivals(order(f"o{i}", "ab") for i in range(BLOCK_ORDERS + 1)):
        partition.add(arrival, np.array([0]))

    assert [block.orders for block in partition.changed()] == [BLOCK_ORDERS, 1]
    partition.kept()
    assert partition.changed() == []
    assert partition.measured == PartitionTally(["x"], [a_block([0], names=["x"], number=1)]).measured


async def test_the_scorer_that_enough_orders_speak_for_serves_and_popularity_claims_nothing(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, paired_orders(7, 200))
    reader, tally = ViewReader(made, POLICY, max_age_s=1.0), Tally()
    watch = ScorerWatch(made, reader, POLICY, tally)
    log = arrivals(order(f"o{i}", skus) for i, skus in enumerate(paired_orders(8, 400)))
    views = await reader.read([basket("a")], 0.0)
    assert views.lines["a"].rows[0].candidates()
    assert views.version == f"{POLICY.version}+{SERVED.name}"

    async def served(hitting: int, orders: int, start: int) -> str | None:
        await tell(made, hitting=hitting, orders=orders)
        await watch.measure("orders/0", 1, log[start : start + 120], float(start))
        return await made.scorers.serving()

    assert await served(0, CHOSEN_FROM - 200, 0) is None
    assert await served(0, CHOSEN_FROM, 120) == "popularity"
    views = await reader.read([basket("a")], 200.0)
    assert views.lines["a"].rows[0].candidates() == []
    assert views.version == f"{POLICY.version}+popularity"
    assert await served(NAMES.index("baseline"), CHOSEN_FROM, 240) == "baseline"
    assert (await reader.read([basket("a")], 300.0)).lines["a"].rows[0].candidates()
    assert tally.counts["scorers.chosen"] == 2
    assert scorer_report(await made.scorers.read(NAMES))["served"] == "baseline"


async def test_every_reader_serves_by_the_scorer_the_tables_name(tables: MakeTables) -> None:
    made = tables()
    await place(made, paired_orders(7, 60))
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    names = []
    for at, name in enumerate(("baseline", "popularity", "of another version")):
        await made.scorers.serve(name)
        names.append((await reader.read([basket("a")], 10.0 * at)).scorer)

    assert names == ["baseline", "popularity", SERVED.name]


async def test_the_baseline_has_its_say_beside_a_fit(tables: MakeTables) -> None:
    made = tables()
    await place(made, [["a", "b"]] * 40 + [["a", "c"]] * 20 + [["b"]] * 30)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    await fit_everything(made, {sku_id(sku) for sku in "abc"})
    alone, beside = Scorer("alone", "precision-20"), Scorer("beside", "precision-20", beside=0.5)
    weights = {}
    for at, scorer in enumerate((alone, beside)):
        reader.serve(scorer)
        views = await reader.read([basket("a")], float(10 * at))
        weights[scorer.name] = {views.skus[i]: w for i, w in views.lines["a"].rows[0].weights().items()}

    assert weights["beside"]["b"] - weights["alone"]["b"] == pytest.approx(0.5 * 40 / (60 + 30))
    assert weights["beside"]["c"] - weights["alone"]["c"] == pytest.approx(0.5 * 20 / (60 + 30))


async def tell(made: Tables, *, hitting: int, orders: int) -> None:
    """So many orders were measured on another partition, and one scorer found what was hidden in each."""
    ranks = [0 if which == hitting else MISSED for which in range(len(NAMES))]
    await made.scorers.keep("other/0", [a_block(*[ranks] * orders, names=NAMES)])


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
    await made.fitted.count_heads(0, 10)
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
