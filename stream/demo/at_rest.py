"""When everything sent is counted, and how many dead letters there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import TopicPartition

from stream import topics
from stream.errors import OperatorError
from stream.settings import Settings
from stream.topics import admin_client, dead_letter_topic
from stream.verification.log_reader import end_offsets

POLL_S = 0.2
STALLED_S = 90.0
"""So long the group may make no progress before we say so."""


async def wait_until_read(settings: Settings, names: Sequence[str]) -> None:
    """Return when the group has committed all there is in these topics (names without the prefix).

    Raises OperatorError when it makes no progress for `STALLED_S`.
    """
    loop = asyncio.get_running_loop()
    ends = {
        TopicPartition(settings.topic_prefix + name, partition): end
        for name in names
        for partition, end in (await end_offsets(settings.broker, settings.topic_prefix + name)).items()
        if end
    }
    lag, since_s = -1, loop.time()
    async with admin_client(settings.broker) as admin:
        while True:
            committed = await admin.list_consumer_group_offsets(settings.group, partitions=list(ends))
            at = {tp: meta.offset for tp, meta in committed.items()}
            now = sum(max(0, end - max(0, at.get(tp, 0))) for tp, end in ends.items())
            if now == 0:
                return
            if now != lag:
                lag, since_s = now, loop.time()
            elif loop.time() - since_s > STALLED_S:
                raise OperatorError(
                    f"The worker has not moved for {STALLED_S:.0f} s; {lag} records are unread.",
                    "Look into its log, and run `basketstream doctor`.",
                )
            await asyncio.sleep(POLL_S)


async def count_dead_letters(settings: Settings) -> int:
    """Records on all dead-letter topics."""
    letters = 0
    for name in topics.CONSUMED:
        letters += sum(
            (await end_offsets(settings.broker, settings.topic_prefix + dead_letter_topic(name))).values()
        )
    return letters
