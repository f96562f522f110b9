"""One latency run: a worker, a till that sends at a constant rate, and a reader, each a process of its own."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from benchmarks.basket_job import Shopfront
from benchmarks.child import Task, running
from benchmarks.load_reader import Latencies, Ready
from benchmarks.load_till import Load, Sent
from benchmarks.plan import Plan
from benchmarks.worker import worker
from stream import topics


class LatencyRun(Struct, frozen=True):
    """What came of one rate."""

    per_s: float
    seconds: float
    latency_ms: Latencies
    till_behind_ms: float
    """The furthest the till itself was behind: part of the longest latencies, and not the worker's doing."""


async def latency_at(front: Shopfront, per_s: float, plan: Plan) -> LatencyRun:
    """Answers to a constant rate of baskets, after a warm-up of a quarter of the time."""
    counted, warm_up = round(per_s * plan.load_seconds), round(per_s * plan.load_seconds / 4)
    bootstrap = front.broker.bootstrap
    answers = Task(bootstrap, front.topic(topics.SUGGESTIONS), counted)
    load = Load(
        bootstrap,
        front.topic(topics.BASKET_UPDATED),
        per_s,
        counted + warm_up,
        warm_up,
        plan.skus,
        plan.customers,
    )
    async with worker("latency", front.settings, front.broker, front.redis, front.folder) as answering:
        await answering.ready()
        async with running("reader", ["benchmarks.load_reader", _argument(answers)], front.folder) as reading:
            await reading.says(Ready)
            async with running("till", ["benchmarks.load_till", _argument(load)], front.folder) as till:
                sent = await till.says(Sent)
                latencies = await reading.says(Latencies)
        await answering.stop()
    return LatencyRun(per_s, plan.load_seconds, latencies, sent.latest_ms)


def _argument(what: Struct) -> str:
    return msgspec.json.encode(what).decode()
