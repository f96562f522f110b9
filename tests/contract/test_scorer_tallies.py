"""Tallies of measured orders: partitions add up, and whoever has a partition goes on where its tally stands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from stream.decisions.hide_one import is_sampled
from stream.decisions.policy import Policy
from stream.decisions.selection import BLOCK_ORDERS, MISSED
from stream.ops.tally import Tally
from stream.services.partition_tally import ONE_IN, PartitionTally
from stream.services.scorer_watch import NAMES, ScorerWatch
from stream.tables.scorers import SLOTS
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.measured_orders import a_block, arrivals, paired_orders
from tests.contract.orders import order
from tests.contract.test_fitted import place

POLICY = Policy()


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
    apart = 5040**2 + (2835 - 3360) ** 2 + 3024**2  # a hit is 2520, and 2520 over its place
    assert found.tally.apart.tolist() == [[0, apart], [apart, 0]]
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
