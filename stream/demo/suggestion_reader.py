"""Reads the suggestions topic as a subscriber would, from where it ends when the run begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.demo.answers import Answers
from stream.kafka_address import client_options

FETCH_TIMEOUT_MS = 1_000


class SuggestionReader:
    """A consumer outside of any group; every answer to a waiting basket is told to `on_answer`."""

    def __init__(self, bootstrap: str, topic: str, answers: Answers, on_answer: Callable[[], None]) -> None:
        self._topic, self._answers, self._on_answer = topic, answers, on_answer
        self._consumer: Any = AIOKafkaConsumer(
            **client_options(bootstrap),
            enable_auto_commit=False,
            # An answer is wanted at once, however small the fetch.
            fetch_min_bytes=1,
            fetch_max_wait_ms=100,
            fetch_max_bytes=8 << 20,
            max_partition_fetch_bytes=2 << 20,
        )

    async def start(self) -> None:
        """Stand at the end of every partition: only what comes from now on is read."""
        await self._consumer.start()
        partitions = self._consumer.partitions_for_topic(self._topic)
        if not partitions:
            await self._consumer._client.force_metadata_update()
            partitions = self._consumer.partitions_for_topic(self._topic)
        tps = [TopicPartition(self._topic, partition) for partition in sorted(partitions)]
        self._consumer.assign(tps)
        await self._consumer.seek_to_end(*tps)
        for tp in tps:
            await self._consumer.position(tp)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def read(self) -> None:
        """Read until cancelled. The time of an answer is that at which its fetch arrived."""
        loop = asyncio.get_running_loop()
        while True:
            fetched = await self._consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)
            now_s = loop.time()
            for records in fetched.values():
                for record in records:
                    if self._answers.read(record.value, now_s):
                        self._on_answer()
