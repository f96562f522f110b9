"""Row 40: 200 days by event time, with faults every few days; what is kept stops growing once the window is full."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena
from tests.faults.days import SETTLE_S, Days
from tests.faults.redis_kinds import EVERYSEC, RedisUnderTest, redis_of
from tests.faults.worker_process import WorkerProcess

DAYS, WINDOW, PACE_DAYS = 200, 90, 10
MOST_PANES = WINDOW + 2
"""Days whose orders may still be there once all is buried: the window, and the day that just closed."""
BURIED_S = 90.0
"""A closed pane is buried ten seconds of the clock later, by workers that may have been killed meanwhile."""
MORE_DAYS = 60
"""What was undone of a day's orders is kept until a later day was buried as well, tens of seconds later: a month of
this pace. Were it kept for good, there would be twice as many days of it in the end."""
FAULTS = ("none", "kill", "kill while panes expire", "forget scripts", "cut connections")


@pytest.mark.fault(40)
async def test_two_hundred_days_with_faults_stay_exact_and_take_no_more_room(
    arena: Arena, request: pytest.FixtureRequest
) -> None:
    orders = 400 if request.config.option.long else 40
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(
        redis=redis, workers=2, window_panes=WINDOW, customer_window_panes=WINDOW, expiry_interval_s=0.2
    )
    steady = arena.running()[0]
    days = Days(arena, DAYS, orders, returns_share=0.1, erasures_share=0.1)
    keys, undone_days, rss = list[int](), list[int](), list[int]()
    while not days.over:
        await arena.publish([*days.next(), *(arena.log.basket() for _ in range(2))])
        if arena.dice.random() < (0.15 if request.config.option.long else 0.06):
            await strike(arena, redis, steady)
        if days.day % PACE_DAYS == 0:
            await arena.caught_up()
        if days.day % PACE_DAYS == 0 and days.day >= WINDOW + 2 * PACE_DAYS:
            await buried(redis)
            marked = await undone(redis)
            keys.append(int(await redis.call("DBSIZE")) - len(marked))
            undone_days.append(len({key.rpartition(b":")[2] for key in marked}))
            rss.append(steady.resources()[0])

    await arena.prove(silence_s=90.0, settle_s=SETTLE_S)
    arena.measured.update(
        days=DAYS, keys=keys, undone_days=undone_days, rss_mib_of_the_steady=[size >> 20 for size in rss]
    )
    assert growth(keys) < 0.02, f"keys go on growing: {keys}"
    assert max(undone_days) <= WINDOW + MORE_DAYS, f"what was undone is kept for too many days: {undone_days}"
    assert growth(rss) < 0.10, f"memory goes on growing: {rss}"


async def strike(arena: Arena, redis: RedisUnderTest, steady: WorkerProcess) -> None:
    """One fault of the simple set, or none."""
    fault = arena.dice.choice(FAULTS)
    arena.history.note("fault", kind=fault)
    if fault.startswith("kill"):
        if fault != "kill":
            await expiring(redis)
        victim = next(worker for worker in arena.running() if worker is not steady)
        await arena.kill(victim)
        await arena.start_worker()
    elif fault == "forget scripts":
        await redis.call("SCRIPT", "FLUSH")
    elif fault == "cut connections":
        await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def expiring(redis: RedisUnderTest) -> None:
    """Return while some pane is closed and not yet dropped, or after two seconds without one."""
    for _ in range(40):
        async with redis.client() as client:
            async for _key in client.scan_iter(match="*:closed", count=1_000):
                return
        await asyncio.sleep(0.05)


async def buried(redis: RedisUnderTest) -> None:
    """Return once no more days are kept than the window has."""
    days = set[bytes]()
    try:
        async with asyncio.timeout(BURIED_S), redis.client() as client:
            while True:
                days = {
                    key.rpartition(b":")[2] async for key in client.scan_iter(match="*:pane:*", count=1_000)
                }
                if len(days) <= MOST_PANES:
                    return
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise AssertionError(f"{len(days)} days of orders are kept, {MOST_PANES} are enough") from None


async def undone(redis: RedisUnderTest) -> set[bytes]:
    """The keys that mark what was undone of a day's orders: one erasure makes a hundred of them."""
    async with redis.client() as client:
        return {key async for key in client.scan_iter(match="*:undone:*", count=1_000)}


def growth(samples: list[int]) -> float:
    """How much the later half is above the earlier one, as a share of it."""
    half = len(samples) // 2
    earlier, later = sum(samples[:half]) / half, sum(samples[-half:]) / half
    return later / earlier - 1
