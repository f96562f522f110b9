"""The watchdog's judgement: who is stuck, who only waits, who has nothing to do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from faust.types import TP

from stream.errors import StateUnavailable, WorkerStuck
from stream.ops.watchdog import Sight, Watchdog, interval_s

ORDERS = TP("order-placed", 0)
STUCK_AFTER_S = 20.0
LOOK_S = interval_s(STUCK_AFTER_S)


class Seen:
    """A worker as the watchdog sees it, and the Kafka it asks."""

    def __init__(self) -> None:
        self.sights: dict[TP, Sight] = {ORDERS: Sight(5, 1, 1)}
        self.end = 5
        self.record_there = True
        self.kafka_away = False
        self.asked = 0
        self.now_s = 1_000.0
        self.dog = Watchdog(lambda: self.sights, self.ends, self.has_record, stuck_after_s=STUCK_AFTER_S)

    async def ends(self, topic: str) -> Mapping[int, int]:
        self.asked += 1
        if self.kafka_away:
            raise StateUnavailable("nobody answers")
        return {0: self.end}

    async def has_record(self, tp: TP, offset: int) -> bool:
        return self.record_there

    async def looks(self, seconds: float) -> None:
        """Look at the usual pace for so long."""
        for _ in range(int(seconds / LOOK_S)):
            self.now_s += LOOK_S
            await self.dog.look(self.now_s)


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def test_a_batch_that_is_never_finished_is_stuck_after_the_time_and_not_before(seen: Seen) -> None:
    await seen.looks(STUCK_AFTER_S)

    with pytest.raises(
        WorkerStuck, match=r"order-placed\[0\] made no progress for 20 s: a batch .* not finished"
    ):
        await seen.looks(LOOK_S)


async def test_every_finished_batch_starts_the_time_again(seen: Seen) -> None:
    for offset in range(6, 12):
        await seen.looks(STUCK_AFTER_S)
        seen.sights[ORDERS] = Sight(offset, 1, 1)


async def test_a_batch_that_is_tried_again_and_again_only_waits(seen: Seen) -> None:
    for attempt in range(2, 20):
        seen.sights[ORDERS] = Sight(5, 1, attempt)
        await seen.looks(STUCK_AFTER_S / 2)


async def test_an_idle_partition_is_not_stuck_and_kafka_is_seldom_asked(seen: Seen) -> None:
    seen.sights[ORDERS] = Sight(5, 0, 1)

    await seen.looks(STUCK_AFTER_S * 4)

    assert seen.asked == 7


async def test_records_that_are_not_fetched_are_noticed(seen: Seen) -> None:
    seen.sights[ORDERS] = Sight(5, 0, 1)
    seen.end = 9

    with pytest.raises(WorkerStuck, match="its log goes on to 9, nothing behind 5 came"):
        await seen.looks(STUCK_AFTER_S * 2)


async def test_the_end_of_a_transaction_is_no_record(seen: Seen) -> None:
    seen.sights[ORDERS] = Sight(5, 0, 1)
    seen.end, seen.record_there = 6, False

    await seen.looks(STUCK_AFTER_S * 4)


async def test_a_rebalance_that_never_ends_is_noticed(seen: Seen) -> None:
    seen.sights[ORDERS] = Sight(None, 0, 0)

    with pytest.raises(WorkerStuck, match="nothing said where its reading starts"):
        await seen.looks(STUCK_AFTER_S * 2)


async def test_a_worker_that_asks_for_its_partitions_again_and_again_only_waits(seen: Seen) -> None:
    for assignment in range(1, 10):
        seen.sights[ORDERS] = Sight(None, 0, 0, assignment)
        await seen.looks(STUCK_AFTER_S)


async def test_while_kafka_is_away_nobody_is_stuck_and_the_log_says_so(
    seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    seen.sights[ORDERS] = Sight(5, 0, 1)
    seen.end, seen.kafka_away = 9, True

    await seen.looks(STUCK_AFTER_S * 4)
    assert "Kafka is away, so nothing is read" in caplog.text

    seen.kafka_away = False
    await seen.looks(STUCK_AFTER_S / 2)
    with pytest.raises(WorkerStuck):
        await seen.looks(STUCK_AFTER_S)


async def test_a_process_that_was_stopped_for_an_hour_is_not_stuck(seen: Seen) -> None:
    await seen.looks(STUCK_AFTER_S / 2)
    seen.now_s += 3_600

    await seen.looks(STUCK_AFTER_S / 4)


async def test_a_partition_that_was_given_away_is_forgotten(seen: Seen) -> None:
    await seen.looks(STUCK_AFTER_S)
    before, seen.sights = seen.sights, {}
    await seen.looks(LOOK_S)

    seen.sights = before
    await seen.looks(STUCK_AFTER_S)
