"""The contestants, and the rounds in which they take turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.backlog import fill, make_topic, seconds_until_committed, topic_ends
from benchmarks.basket_job import Shopfront
from benchmarks.child import Task, running
from benchmarks.decisions import Cost
from benchmarks.drain import Drained
from benchmarks.order_job import OrderLog
from benchmarks.plan import Plan
from benchmarks.redis_rate import zincrby_per_s
from stream.embedded.broker import Broker
from stream.embedded.redis import RedisServer
from stream.publisher import Outgoing

LONG, SHORT, ECHOED = "long", "short", "echoed"
BATCH_OF_DECISIONS = 500


class Rate(Struct, frozen=True, omit_defaults=True):
    """What one contestant did in one round."""

    per_s: float
    per_core_s: float | None = None
    """A CPU second of the contestant's own process."""
    cpu_us: tuple[float, ...] | None = None
    """CPU microseconds an event: the contestant, Kafka's processes, Redis."""
    committed: bool | None = None
    """Whether the committed offsets reached the end of the log once it was idle."""
    more: dict[str, float] = {}


Contest = Callable[[int], Awaitable[Rate]]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the rounds take place."""

    broker: Broker
    redis: RedisServer
    folder: Path
    prefix: str
    """Of the names of all topics and groups: nobody else uses it."""
    plan: Plan

    async def fill_topics(self, baskets: list[Outgoing]) -> None:
        """The topics of the contestants that only read, and the one that takes echoes."""
        bootstrap, plan = self.broker.bootstrap, self.plan
        for name in (LONG, SHORT, ECHOED):
            await make_topic(bootstrap, self.prefix + name)
        long = max(plan.consumed, plan.echoed, plan.echoed_each)
        repeats = -(-long // len(baskets))
        await fill(bootstrap, self.prefix + LONG, (baskets * repeats)[:long])
        await fill(bootstrap, self.prefix + SHORT, (baskets * repeats)[: plan.stock])

    def alone(self, module: str, variant: str, backlog: str, records: int) -> Contest:
        """A contestant that measures itself."""

        async def contest(number: int) -> Rate:
            name = f"{module}-{variant}"
            group, topic = f"{self.prefix}{name}-{number}", self.prefix + backlog
            output = self.prefix + ECHOED
            task = Task(self.broker.bootstrap, topic, records, variant, output, group)
            argument = msgspec.json.encode(task).decode()
            async with running(name, [f"benchmarks.{module}", argument], self.folder) as child:
                drained = await child.says(Drained)
                committed = None
                if module == "batch_transport":
                    ends = await topic_ends(self.broker.bootstrap, topic)
                    committed = await seconds_until_committed(self.broker.bootstrap, group, ends) is not None
            return _rate(drained, committed)

        return contest

    async def redis_rate(self, number: int) -> Rate:
        """redis-benchmark."""
        return Rate(await zincrby_per_s(self.redis, self.plan.redis_operations))


def decision_contest(skus: int, folder: Path) -> Contest:
    """The decision core alone, over a catalogue of so many SKUs, with a raw decode of the same baskets beside it."""

    async def contest(number: int) -> Rate:
        name = f"decisions-{skus}"
        async with running(name, ["benchmarks.decisions", "--skus", str(skus)], folder) as child:
            cost = await child.says(Cost)
        us = cost.decide_us[BATCH_OF_DECISIONS]
        more = {"decode_us": cost.decode_us, "alone_us": cost.decide_us[1]}
        return Rate(1e6 / us, cpu_us=(us,), more=more)

    return contest


def basket_contest(front: Shopfront) -> Contest:
    """The whole basket job."""

    async def contest(number: int) -> Rate:
        round_ = await front.round()
        more = {"first_answer_s": round_.first_answer_s, "offers_a_basket": round_.offers}
        return _rate(round_.drained, round_.committed_s is not None, more)

    return contest


def order_contest(log: OrderLog) -> Contest:
    """The whole order job."""

    async def contest(number: int) -> Rate:
        round_ = await log.round(number)
        more = {
            "pairs_per_s": round_.pairs_per_s,
            "written_pairs_per_s": round_.written_per_s,
            "pairs_an_order": round_.pairs_an_order,
        }
        return _rate(round_.drained, round_.committed_s is not None, more)

    return contest


def _rate(drained: Drained, committed: bool | None, more: dict[str, float] | None = None) -> Rate:
    return Rate(
        drained.per_s,
        drained.per_core_s,
        tuple(seconds / drained.events * 1e6 for seconds in drained.cpu_s),
        committed,
        more or {},
    )


async def take_turns(
    contests: dict[str, Contest], rounds: int, on_progress: Callable[[str], None]
) -> dict[str, list[Rate]]:
    """Every contestant once a round, in the order given."""
    rates: dict[str, list[Rate]] = {name: [] for name in contests}
    for number in range(1, rounds + 1):
        for name, contest in contests.items():
            on_progress(f"round {number} of {rounds}: {name}")
            rates[name].append(await contest(number))
    return rates
