"""Failpoints: the steps of a worker, each with a moment before and a moment after it.

The product has none of this. The program `tests.faults.failing_worker` wraps the product's functions here, so that
at the n-th passage of a chosen moment the process ends on the spot (`exit`) or stands still (`pause`).

| step | before | after |
|---|---|---|
| decode | a batch arrived, nothing of it was read | its records are events or dead letters |
| claim | no order of the batch is claimed | claims are made, nothing is counted |
| send | the script that counts is not on its way | it is with the kernel, nobody has read an answer |
| answer | answers are there, nobody has looked at them | every tag of the batch has its counts |
| take | a return has not looked at its order | it is written down and taken away |
| amend | an undo is not written into its order | it is, and nothing is taken away |
| produce | no suggestion is on its way | the request is with the kernel, nobody has read an answer |
| flush | the broker has confirmed, nobody has looked | `publish` has returned |
| ack | the batch is handled, not finished | it is finished, not committed |
| commit | the offsets are not on their way | Kafka has confirmed them |
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiokafka
import redis.asyncio.connection
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.produce import ProduceRequest

from stream.agents import baskets, erasures, orders, returns
from stream.batches import RecordBatch
from stream.consumer_thread import KafkaThread
from stream.publisher import Publisher
from stream.tables.batch import FencedBatch
from stream.tables.cluster_store import ClusterStore
from stream.tables.fences import SUPERSEDED
from stream.tables.order_log import OrderLog
from stream.tables.orders import Orders
from stream.tables.redis_store import RedisStore
from stream.tables.returns import Returns
from stream.tables.store import Script

STEPS = ("decode", "claim", "send", "answer", "take", "amend", "produce", "flush", "ack", "commit")
MOMENTS = ("before", "after")
EXIT_CODE = 70
REACHED = "failpoint reached"
NOT_REFUSED = "written after the pause with an epoch from before it"
"""What a worker that stood still says of each of its writes that Redis took although the epoch was an old one."""
EPOCH_FIRST = ("apply", "move_fence")
"""Scripts whose arguments begin with the partition and the epoch of its owner."""


@dataclass
class ScriptsUnderWay:
    """One call of the store. `counts`: it holds scripts that count. `late`: it was sent after the pause."""

    counts: bool
    late: bool = False


_under_way: ContextVar[ScriptsUnderWay | None] = ContextVar("under_way", default=None)


class Failpoint(NamedTuple):
    """`<step>:<before|after>:<passage>`, passages counted from 1."""

    step: str
    moment: str
    passage: int

    @classmethod
    def parse(cls, text: str) -> Failpoint:
        """From its text; raises ValueError for a step there is not."""
        step, moment, passage = text.split(":")
        if step not in STEPS or moment not in MOMENTS:
            raise ValueError(f"no such failpoint: {text}")
        return cls(step, moment, int(passage))


@dataclass
class Failpoints:
    """Counts passages and acts at the one that was chosen."""

    chosen: Failpoint
    action: str
    topic: str = ""
    """How the topic's name ends whose batches' `ack` is meant; every topic's where it is empty."""
    woken: bool = False
    """Whether the process has stood still and goes on."""
    _passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _old_epochs: set[tuple[Any, ...]] = field(default_factory=set)
    """(partition, epoch) of what was written, or was to be, before the pause."""

    def pass_by(self, step: str, moment: str) -> None:
        """The worker is at this moment now."""
        self._passed[step, moment] += 1
        if (step, moment, self._passed[step, moment]) != self.chosen:
            return
        sys.stderr.write(f"{REACHED}: {step} {moment}\n")
        sys.stderr.flush()
        if self.action == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)
            self.woken = True
        else:
            os._exit(EXIT_CODE)

    def install(self) -> None:
        """Wrap every step."""
        for agent in (orders, baskets, returns, erasures):
            self._around(agent, "receive_all", "decode")
        self._around_async(Orders, "_claim", "claim")
        self._around_async(Returns, "_take", "take")
        self._around_async(OrderLog, "amend", "amend")
        self._around_finish()
        self._around_async(KafkaThread, "_commit", "commit")
        self._around_redis()
        self._around_produce()

    def _around(self, owner: Any, name: str, step: str) -> None:
        wrapped: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(wrapped)
        def around(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(step, "before")
            result = wrapped(*args, **kwargs)
            self.pass_by(step, "after")
            return result

        setattr(owner, name, around)

    def _around_finish(self) -> None:
        finish = RecordBatch.finish

        def around(batch: RecordBatch) -> None:
            meant = batch.topic.endswith(self.topic)
            if meant:
                self.pass_by("ack", "before")
            finish(batch)
            if meant:
                self.pass_by("ack", "after")

        setattr(RecordBatch, "finish", around)  # noqa: B010  mypy would not let us

    def _around_async(self, owner: Any, name: str, step: str, moments: tuple[str, ...] = MOMENTS) -> None:
        wrapped: Callable[..., Awaitable[Any]] = getattr(owner, name)

        @functools.wraps(wrapped)
        async def around(*args: Any, **kwargs: Any) -> Any:
            if "before" in moments:
                self.pass_by(step, "before")
            result = await wrapped(*args, **kwargs)
            if "after" in moments:
                self.pass_by(step, "after")
            return result

        setattr(owner, name, around)

    def _around_redis(self) -> None:
        for store in (RedisStore, ClusterStore):
            self._around_scripts(store)
        connection = redis.asyncio.connection.AbstractConnection
        send = connection.send_packed_command

        async def send_packed_command(conn: Any, command: Any, check_health: bool = True) -> None:
            call = _under_way.get()
            if call is None or not call.counts:
                if call is not None:
                    call.late = self.woken
                return await send(conn, command, check_health)
            self.pass_by("send", "before")
            call.late = self.woken
            await send(conn, command, check_health)
            await _written(conn._writer)
            self.pass_by("send", "after")
            return None

        setattr(connection, "send_packed_command", send_packed_command)  # noqa: B010  mypy would not let us
        self._around_async(FencedBatch, "apply_each", "answer", ("after",))

    def _around_scripts(self, store: Any) -> None:
        run = store.scripts

        async def scripts(this: Any, calls: Any) -> list[Any]:
            under_way = ScriptsUnderWay(counts=any(call.name == "apply" for call in calls))
            self._note_epochs(calls)
            token = _under_way.set(under_way)
            try:
                answers: list[Any] = await run(this, calls)
            finally:
                _under_way.reset(token)
            if under_way.late:
                self._tell_of_old_epochs(calls, answers)
            if under_way.counts:
                self.pass_by("answer", "before")
            return answers

        store.scripts = scripts

    def _note_epochs(self, calls: Sequence[Script]) -> None:
        if not self.woken and self.action == "pause":
            self._old_epochs.update(_epoch_of(call) for call in calls if call.name in EPOCH_FIRST)

    def _tell_of_old_epochs(self, calls: Sequence[Script], answers: Sequence[Any]) -> None:
        """Whoever owns the partition by now has a newer epoch: only a refusal is right."""
        for call, answer in zip(calls, answers, strict=True):
            if call.name in EPOCH_FIRST and _epoch_of(call) in self._old_epochs and answer[0] != SUPERSEDED:
                sys.stderr.write(f"{NOT_REFUSED}: {call.args[0]}, {call.name} answered {answer[0]}\n")
                sys.stderr.flush()

    def _around_produce(self) -> None:
        self._around_async(aiokafka.AIOKafkaProducer, "send_batch", "produce", ("before",))
        self._around_async(Publisher, "publish", "flush", ("after",))
        write, ask = AIOKafkaConnection.send, AIOKafkaClient.send

        def send(conn: Any, request: Any, expect_response: bool = True) -> Any:
            answer = write(conn, request, expect_response)
            if isinstance(request, ProduceRequest) and not conn._writer.transport.get_write_buffer_size():
                self.pass_by("produce", "after")
            return answer

        async def confirmed(client: Any, node: Any, request: Any, **kwargs: Any) -> Any:
            answer = await ask(client, node, request, **kwargs)
            if isinstance(request, ProduceRequest):
                self.pass_by("flush", "before")
            return answer

        AIOKafkaConnection.send = send
        AIOKafkaClient.send = confirmed


def _epoch_of(call: Script) -> tuple[Any, ...]:
    return tuple(call.args[:2])


async def _written(writer: asyncio.StreamWriter) -> None:
    """Return once the kernel has every byte."""
    while writer.transport.get_write_buffer_size():
        await asyncio.sleep(0)
