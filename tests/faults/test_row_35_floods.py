"""Rows 35 and 36: baskets as large as they may be, one SKU everywhere, and ids that never end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.arena import Arena
from tests.faults.days import tallied
from tests.faults.load import BASKETS, ORDERS, Message, message
from tests.faults.proof import SUGGESTIONS

MOST_LINES = 2_000
"""What the contract takes in one basket or order; one more is a dead letter."""
MOST_PARTNERS = 49
"""Partners that one order can give a SKU: of more than 50 SKUs 50 count."""
ROOM_MIB = 400
P99_S = 20.0
"""A bound and no mark of speed: three cores' worth of other programs may be running."""


@pytest.mark.fault(35)
async def test_monster_baskets_and_one_sku_everywhere_are_counted_up_to_the_cap(arena: Arena) -> None:
    await arena.start(workers=1, partitions=2)
    hot = arena.log.skus[0]
    for number in range(6):
        skus = [f"monster-{number}-{i}" for i in range(MOST_LINES)]
        monsters = [arena.log.order(skus=skus), arena.log.basket(skus=skus)]
        crowd = [arena.log.order(skus=[hot, f"{hot}-{arena.dice.randrange(500)}"]) for _ in range(30)]
        await arena.publish([*monsters, *arena.log.step(orders=50, baskets=50), *crowd])
    await arena.publish([_with_lines(arena, ORDERS, 10_000), _with_lines(arena, BASKETS, 10_000)])
    await arena.prove(duplicates=0)
    orders = {key: value for key, value in arena.reference.rows().items() if key[0] == "order"}
    assert max(map(len, orders.values())) == MOST_PARTNERS + 1
    waits = await seconds_to_answers(arena)
    arena.measured["p99_s"] = round(waits[len(waits) * 99 // 100], 2)
    assert arena.measured["p99_s"] < P99_S
    assert arena.watch.most_rss < ROOM_MIB << 20


async def seconds_to_answers(arena: Arena) -> list[float]:
    """From each basket to its first suggestion by the records' own times, sorted."""
    asked = {(r.partition, r.offset): r.timestamp for r in await arena.group.read(BASKETS)}
    waits: dict[tuple[int, int], int] = {}
    for answer in await arena.group.read(SUGGESTIONS):
        cause = json.loads(answer.value or b"")["cause"]
        place = (cause["partition"], cause["offset"])
        waits.setdefault(place, answer.timestamp - asked[place])
    return sorted(wait / 1_000 for wait in waits.values())


def _with_lines(arena: Arena, topic: str, count: int) -> Message:
    made = arena.log.order(skus=["sku-00"]) if topic == ORDERS else arena.log.basket(skus=["sku-00"])
    event: dict[str, Any] = json.loads(made.value or b"")
    event["lines"] = [{**event["lines"][0], "sku": f"line-{i}"} for i in range(count)]
    return message(topic, event["order_id" if topic == ORDERS else "basket_id"], event)._replace(poison=True)


@pytest.mark.fault(36)
async def test_a_flood_of_new_skus_and_customers_stays_within_bounds(arena: Arena) -> None:
    """4,000 orders of SKUs and customers nobody saw before; with `--long` 250,000 orders, a million SKUs."""
    steps, orders = (500, 500) if arena.long else (20, 200)
    await arena.start(redis="own", workers=1, partitions=2)
    before = await _redis_bytes(arena)
    for step in range(steps):
        await arena.publish(
            [
                arena.log.order(skus=[f"s{step}-{i}-{j}" for j in range(4)], customer=f"c{step}-{i}")
                for i in range(orders)
            ]
        )
    await arena.prove(duplicates=0, within_s=600.0)
    grown = await _redis_bytes(arena) - before
    arena.measured["redis_bytes_an_order"] = grown // (steps * orders)
    assert grown / (steps * orders) < 10_000
    assert arena.watch.most_rss < ROOM_MIB << 20
    await arena.stop_worker(arena.workers[0])
    assert tallied(arena, "skus.first seen") == 4 * steps * orders + len(arena.log.skus)


async def _redis_bytes(arena: Arena) -> int:
    (info,) = await arena.tables.store.commands([("INFO", "memory")])
    (line,) = [line for line in bytes(info).split(b"\r\n") if line.startswith(b"used_memory:")]
    return int(line.split(b":")[1])
