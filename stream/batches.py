"""The record batch: what an agent receives as one Faust event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import faust
from aiokafka import ConsumerRecord
from faust.serializers.schemas import Schema
from faust.types import AppT, TopicT
from faust.types.tuples import Message


class RecordBatch:
    """The records one fetch brought of one partition, in offset order and never empty.

    Keys and values are raw bytes or None. `generation` is the consumer group's generation that fetched
    them, `assignment` the number of this worker's assignment: one that is made again may have the same
    generation. Offsets may have gaps.
    """

    __slots__ = ("_finished", "_on_finish", "assignment", "generation", "partition", "records", "topic")

    def __init__(
        self,
        topic: str,
        partition: int,
        records: Sequence[ConsumerRecord],
        generation: int,
        on_finish: Callable[[], None] | None = None,
        assignment: int = 0,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records
        self.generation = generation
        self.assignment = assignment
        self._on_finish = on_finish
        self._finished = False

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return int(self.records[0].offset)

    @property
    def last_offset(self) -> int:
        """Offset of the last record; reading goes on behind it."""
        return int(self.records[-1].offset)

    @property
    def finished(self) -> bool:
        """Whether `finish` was called."""
        return self._finished

    def finish(self) -> None:
        """Every effect of the batch is durable: it may be committed. The only thing that lets it be."""
        if not self._finished:
            self._finished = True
            if self._on_finish is not None:
                self._on_finish()

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"<RecordBatch {self.topic}[{self.partition}] {self.first_offset}..{self.last_offset}>"


class BatchSchema(Schema):  # type: ignore[type-arg]  # Faust leaves its key and value types open
    """Hands the batch to the stream as it is: records are decoded by the agent, each on its own."""

    def compile(self, app: AppT, **handlers: Any) -> Any:
        """The function that makes Faust's event of a message."""

        async def decode(message: Message, *, propagate: bool = False) -> faust.EventT[Any]:
            return faust.Event(app, message.key, message.value, None, message)

        return decode


def batch_topic(app: faust.App, name: str) -> TopicT:
    """The topic for an agent that does `async for batch in stream`; it is never declared by the worker."""
    return app.topic(name, schema=BatchSchema())
