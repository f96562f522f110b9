"""A worker without Kafka and Redis: events in, suggestions out, one after another.

It is the worker's own app on the in-memory twin of the tables: the same agents, tables, fitter and upkeep, wired by the
same `create_app`. What a live worker does beside its agents is done here before the next event: fits that were found to
be needed are made, panes that left the window expire. A worker that is asked in step (the next record is published when
the last one was answered and nothing waits to be fitted) publishes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple, cast

import faust
import msgspec
from aiokafka import ConsumerRecord
from faust.types import TP

from stream import topics
from stream.agents.shell import Handle, Shell
from stream.app import Parts, create_app
from stream.basket_app import BasketApp
from stream.batches import RecordBatch
from stream.codec import occurred_ms
from stream.errors import OperatorError
from stream.publisher import Outgoing, Publisher
from stream.settings import Settings
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables

ASSIGNMENT = 1
STEP_MS = 1_000
"""Records follow each other by so much at least: events that come in step come no faster."""


class Sent(NamedTuple):
    """A record as it lies on the log, and the suggestions that answer it."""

    topic: str
    outgoing: Outgoing
    at_ms: int
    answers: list[Outgoing]


class _Hands(Shell):
    """Gives the handlers of the agents out of hand instead of running them on streams."""

    async def run(self, stream: faust.StreamT[RecordBatch], handle: Handle) -> None:
        """Keep the handler."""
        cast(list[Handle], stream).append(handle)


class _Outbox(Publisher):
    """Keeps what is published, by topic."""

    def __init__(self) -> None:
        super().__init__("nowhere:0")
        self.published: list[tuple[str, Outgoing]] = []

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to leave."""

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Keep the messages."""
        self.published += [(topic, message) for message in messages]


class InStep:
    """One worker that owns the only partition of each topic. `open` it before the first event."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic_prefix
        self._outbox = _Outbox()
        self._ends: dict[str, int] = {}
        self._last_ms = 0
        self._handlers: dict[str, Handle] = {}
        self.tables = Tables(MemoryStore(), settings)
        self._app: BasketApp = create_app(
            settings, Parts(self.tables, self._outbox, self._bounds, lambda app, tally: _Hands(app, tally))
        )

    async def open(self) -> None:
        """Make the tables and take the partitions."""
        app = self._app
        await self.tables.open()
        for agent in app.agents.values():
            [topic] = agent.channel.topics
            handlers: list[Handle] = []
            await cast(Any, agent).fun(handlers)
            [self._handlers[topic]] = handlers
        await app.positions.start_at({TP(topic, 0): None for topic in self._handlers}, ASSIGNMENT)

    async def send(self, topic: str, outgoing: Outgoing, at: datetime) -> Sent:
        """Publish an event of a moment to a topic (named as in the contract), and handle it and all it brings about.

        Raises OperatorError for one that becomes a dead letter.
        """
        name = self._prefix + topic
        self._last_ms = max(self._last_ms + STEP_MS, occurred_ms(at))
        record: ConsumerRecord[bytes | None, bytes | None] = ConsumerRecord(
            topic=name,
            partition=0,
            offset=self._ends.get(name, 0),
            timestamp=self._last_ms,
            timestamp_type=0,
            key=outgoing.key,
            value=outgoing.value,
            checksum=None,
            serialized_key_size=len(outgoing.key or b""),
            serialized_value_size=len(outgoing.value or b""),
            headers=tuple(outgoing.headers),
        )
        self._ends[name] = record.offset + 1
        await self._handlers[name](RecordBatch(name, 0, [record], 1, assignment=ASSIGNMENT))
        if topic in (topics.ORDER_PLACED, topics.ORDER_RETURNED):
            await self._app.upkeep.round()
        await self._app.wiring.basket_moves.tell(self._last_ms)
        if self._app.fitter is not None:
            while await self._app.fitter.turn(lambda: self._last_ms):
                pass
        return Sent(topic, outgoing, self._last_ms, list(self._answers()))

    def _answers(self) -> Iterator[Outgoing]:
        published, self._outbox.published = self._outbox.published, []
        for topic, message in published:
            if topic == self._prefix + topics.SUGGESTIONS:
                yield message
            elif topic.endswith(topics.DEAD_LETTER_SUFFIX):
                raise OperatorError(
                    f"An event of the history became a dead letter: {dict(message.headers)}.",
                    "Correct the history; `basketstream replay` would fill the dead-letter topic with these.",
                )

    async def _bounds(self, tps: Set[TP]) -> Mapping[TP, int]:
        return {tp: self._ends.get(tp.topic, 0) for tp in tps}


Timed = tuple[str, Outgoing, datetime]
"""A topic, an event for it, and when it happened."""


async def write_suggestions(events: Iterable[Timed], settings: Settings, to: BinaryIO) -> int:
    """Write the suggestions that answer these events, one a line, as a worker asked in step would publish them.

    Products, counts and weights are read afresh for every answer. Answers how many there were; raises OperatorError as
    `InStep.send` does.
    """
    worker = InStep(msgspec.structs.replace(settings, cache_age_s=0.0))
    await worker.open()
    written = 0
    for topic, outgoing, at in events:
        for answer in (await worker.send(topic, outgoing, at)).answers:
            to.write((answer.value or b"") + b"\n")
            written += 1
    return written
