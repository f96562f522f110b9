"""The arena: one round of one row. A Kafka, a Redis, workers, a load, and what is proved at the end."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.embedded import Broker, RedisServer, apache_kafka, embedded_redis
from stream.errors import StateUnavailable
from stream.settings import load_settings
from stream.tables.dump import scan
from stream.tables.tables import Tables
from stream.topics import make_topics, topic_specs
from tests.faults.feed import Feed
from tests.faults.group import Group
from tests.faults.history import History
from tests.faults.load import (
    BASKETS,
    CUSTOMERS,
    ERASURES,
    ORDERS,
    PRODUCTS,
    RETURNS,
    Load,
    Message,
    now_to_the_second,
)
from tests.faults.nursery import Nursery
from tests.faults.proof import (
    DEAD,
    DEAD_LETTER_TOPICS,
    SUGGESTIONS,
    Disproved,
    Log,
    prove_counts,
    prove_dead_letters,
    prove_suggestions,
    prove_watched,
    recount,
    rules_of,
)
from tests.faults.reference import suggestion_ids
from tests.faults.watch import Watch
from tests.faults.worker_process import WorkerProcess
from tests.services import Services

T = TypeVar("T")

INPUTS = (PRODUCTS, CUSTOMERS, ORDERS, BASKETS, RETURNS, ERASURES)
CAUGHT_UP_S = 120.0
SILENCE_S = 60.0
HEALED_S = 30.0
"""A worker may notice once more that Redis went back: so long the counts may still be on their way after a replay."""
PLAIN, FAILING = "stream", "tests.faults.failing_worker"
SETTINGS: dict[str, Any] = {"commit_interval_s": 0.5, "session_timeout_s": 6.0, "rebalance_timeout_s": 6.0}


@dataclass
class Arena:
    """`dice` are those of the round; `measured` is what the report shows of it."""

    services: Services
    seed: int
    row: int
    round_number: int
    name: str
    folder: Path
    sabotage: str = ""
    """fence, claim or epoch: the workers run with that part broken."""
    long: bool = False
    """Whether rows that take minutes take the whole of them."""
    began: datetime | None = None
    """The time the events speak of; a round that is replayed has that of the first one, any other one its own."""
    nursery: Nursery | None = None
    """Forks the workers; without one each is started with its imports."""
    measured: dict[str, Any] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    duplicates_allowed: int = 0
    """Baskets that were not committed when a worker was killed: no more suggestions than these may come twice."""
    redis: RedisServer | None = None
    """The round's own Redis, if it asked for one."""

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{self.seed}/{self.row}/{self.name}/{self.round_number}")
        self.history = History(self.folder / "history.jsonl")
        self.log = Load(random.Random(self.dice.random()), self.began or now_to_the_second())
        facts = {"seed": self.seed, "row": self.row, "round": self.round_number, "test": self.name}
        switches = {"sabotage": self.sabotage, "long": self.long}
        self.history.note("round", **facts, began=str(self.log.began), **switches)
        self.prefix = f"f{uuid.uuid4().hex[:10]}-"
        self._stack = AsyncExitStack()

    async def start(
        self,
        *,
        kafka: str | Broker = "shared",
        redis: str | RedisServer = "shared",
        workers: int = 1,
        partitions: int = 4,
        **settings: Any,
    ) -> None:
        """Services, topics, catalogue and `workers` ready workers.

        `kafka`: shared, own or three (nodes of its own), or a Broker. `redis`: shared, own, a value of `appendfsync`
        (always, everysec), none (no log at all), a URL, or a RedisServer. Rows that hurt a service ask for one of
        their own. `settings` are those of the workers: a proxy's address goes into `broker` or `redis_url`; the
        arena itself looks past it.
        """
        self.broker = await self._start_kafka(kafka)
        url = await self._start_redis(redis)
        ours = {"broker": self.broker.bootstrap, "redis_url": url, "idempotent": self.broker.idempotent}
        names = {
            "topic_prefix": self.prefix,
            "group": f"{self.prefix}group",
            "namespace": self.prefix.rstrip("-"),
        }
        self.settings = load_settings({}, **{**SETTINGS, **ours, **names, **settings})
        specs = topic_specs(partitions, prefix=self.prefix, keep_for_ever=True)
        await make_topics(self.broker.bootstrap, specs, replication=3 if len(self.broker.nodes) >= 3 else 1)
        self.tables = Tables.on_redis(msgspec.structs.replace(self.settings, redis_url=url))
        self._stack.push_async_callback(self.tables.close)
        if redis == "shared":
            self._stack.push_async_callback(self.forget_tables, self.tables)
        self.group = await self._stack.enter_async_context(
            Group(self.broker.bootstrap, self.settings.group, self.prefix)
        )
        self._stack.push_async_callback(self.group.forget)
        await self._start_feed()
        await self.publish(self.log.catalogue())
        for _ in range(workers):
            await self.start_worker()
        await asyncio.gather(*(worker.ready() for worker in self.workers))
        self._start_watch()

    async def use(self, service: AbstractAsyncContextManager[T]) -> T:
        """Run a service of the row until the round ends."""
        return await self._stack.enter_async_context(service)

    def closing(self, close: Callable[[], None]) -> None:
        """Have this called when the round ends."""
        self._stack.callback(close)

    async def _start_kafka(self, kafka: str | Broker) -> Broker:
        if isinstance(kafka, Broker):
            return kafka
        if kafka == "shared":
            return await asyncio.to_thread(self.services.kafka)
        return await self._stack.enter_async_context(apache_kafka(nodes=3 if kafka == "three" else 1))

    async def _start_redis(self, redis: str | RedisServer) -> str:
        if isinstance(redis, RedisServer):
            self.redis = redis
            return redis.url
        if redis == "shared":
            return await asyncio.to_thread(self.services.redis_url)
        if "://" in redis:
            return redis
        kinds: dict[str, dict[str, str]] = {"own": {}, "none": {"appendonly": "no"}}
        options = kinds.get(redis, {"appendfsync": redis})
        self.redis = await self._stack.enter_async_context(embedded_redis(options=options))
        return self.redis.url

    async def _start_feed(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.broker.bootstrap,
            acks="all",
            enable_idempotence=self.broker.idempotent,
            max_request_size=16 << 20,
        )
        await producer.start()
        self._stack.push_async_callback(self._stop_producer, producer)
        dice = random.Random(self.dice.random())
        self.feed = Feed(producer, self.prefix, self.log, self.group, self.history, dice)

    async def _stop_producer(self, producer: AIOKafkaProducer) -> None:
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(5.0):
                await producer.stop()

    def _start_watch(self) -> None:
        fenced = tuple(self.prefix + name for name in (ORDERS, RETURNS, ERASURES))
        self.watch = Watch(self.group, self.tables, INPUTS, fenced, lambda: self.workers)
        task = asyncio.create_task(self.watch.run())

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._stack.push_async_callback(end)

    async def stop(self) -> None:
        """End the load, the workers and whatever the round started."""
        try:
            if hasattr(self, "feed"):
                await self.feed.stop()
        finally:
            for worker in self.workers:
                await worker.end(signal.SIGKILL)
            await self._stack.aclose()
            self.history.close()

    async def forget_tables(self, tables: Tables) -> None:
        """Delete a namespace on the shared Redis."""
        keys = [key for found in (await scan(tables)).values() for _, _, key in found]
        for start in range(0, len(keys), 1_000):
            await tables.store.commands([("UNLINK", key) for key in keys[start : start + 1_000]])

    # -- workers

    async def start_worker(self, failpoint: str | None = None, **environ: str) -> WorkerProcess:
        """A worker; it may not be ready yet. `failpoint` is `<step>:<before|after>:<passage>`.

        `environ` may hold settings (BASKETSTREAM_...) and switches of the failing worker (FAULTS_...).
        """
        switches = {name: text for name, text in environ.items() if name.startswith("FAULTS_")}
        if failpoint is not None:
            switches["FAULTS_FAILPOINT"] = failpoint
        if self.sabotage:
            switches["FAULTS_SABOTAGE"] = self.sabotage
        values = {
            f"BASKETSTREAM_{name.upper()}": str(value)
            for name, value in msgspec.to_builtins(self.settings).items()
        }
        name = f"worker-{len(self.workers)}"
        program = FAILING if switches else PLAIN
        self.history.note("worker starts", worker=name, switches=switches)
        worker = await WorkerProcess.start(
            name, program, {**values, **environ, **switches}, self.folder / f"{name}.log", self.nursery
        )
        self.workers.append(worker)
        return worker

    def running(self) -> list[WorkerProcess]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if worker.running]

    async def kill(self, worker: WorkerProcess) -> None:
        """kill -9. What it had not committed may be answered once more."""
        self.history.note("killed", worker=worker.name)
        await worker.end(signal.SIGKILL)
        await self.note_death()

    async def died(self, worker: WorkerProcess, *, within_s: float = CAUGHT_UP_S) -> int:
        """Wait for a worker that ends itself; its exit code."""
        code = await worker.exit_code(within_s=within_s)
        self.history.note("ended", worker=worker.name, code=code)
        await self.note_death()
        return code

    async def note_death(self) -> None:
        """Count what is not committed at this moment: that much may be answered twice."""
        answered = [BASKETS, ORDERS] if self.settings.answer_orders == "all" else [BASKETS]
        self.duplicates_allowed += sum((await self.group.lag(answered)).values())

    async def stop_worker(self, worker: WorkerProcess) -> int:
        """SIGTERM; its exit code."""
        self.history.note("told to stop", worker=worker.name)
        return await worker.end()

    # -- load

    async def publish(self, messages: list[Message]) -> list[tuple[int, int]]:
        """Publish now; (partition, offset) of each message."""
        return await self.feed.publish(messages)

    def flow(self, *, orders: int = 20, baskets: int = 20, every_s: float = 0.1, steps: int = 100) -> None:
        """Begin a steady load in the background; `prove` stops it."""
        self.feed.flow(orders=orders, baskets=baskets, every_s=every_s, steps=steps)

    async def sleep(self, least_s: float, most_s: float) -> None:
        """Let the load run for a time the dice choose."""
        chosen = self.dice.uniform(least_s, most_s)
        self.history.note("waits", s=round(chosen, 3))
        await asyncio.sleep(chosen)

    # -- what must hold

    async def caught_up(self, *, within_s: float = CAUGHT_UP_S) -> float:
        """I3: return once the group has committed every record there is; seconds it took."""
        began, lag = time.monotonic(), {}
        while time.monotonic() - began < within_s:
            with suppress(KafkaError, TimeoutError):
                lag = await self.group.lag(INPUTS)
                if not lag:
                    return time.monotonic() - began
            await asyncio.sleep(0.1)
        behind = {f"{tp.topic.removeprefix(self.prefix)}[{tp.partition}]": n for tp, n in lag.items()}
        logs = "\n".join(
            f"--- {w.name}, {w.process.returncode}\n{w.said()[-1500:]}" for w in self.workers[-4:]
        )
        raise Disproved(f"I3 does not hold: after {within_s:g} s still behind: {behind}\n{logs}")

    async def healed(self, *, within_s: float = CAUGHT_UP_S) -> None:
        """Return once every tag has come as far as the log. Kafka's commits do not tell: a replay is behind them."""
        ends = await self.group.ends([name.removeprefix(self.prefix) for name in self.watch.fenced])
        began, behind = time.monotonic(), dict[str, int]()
        while time.monotonic() - began < within_s:
            with suppress(StateUnavailable, TimeoutError, OSError):
                fences = await self.watch.lowest_fences()
                behind = {
                    f"{tp.topic}[{tp.partition}]": n
                    for tp, end in ends.items()
                    if (n := end - 1 - fences.get(tp, -1)) > 0
                }
                if not behind:
                    return
            await asyncio.sleep(0.1)
        raise Disproved(f"I3 does not hold: after {within_s:g} s tags are still behind: {behind}")

    async def _counts_hold(self, settle_s: float) -> int:
        """Hold the tables against the reference, until they fit or expiry has had its time."""
        ends = time.monotonic() + settle_s
        while True:
            try:
                return await prove_counts(self.tables, self.reference)
            except Disproved:
                if time.monotonic() >= ends:
                    raise
                await asyncio.sleep(0.3)

    async def prove(
        self,
        *,
        within_s: float = CAUGHT_UP_S,
        silence_s: float = SILENCE_S,
        duplicates: int | None = None,
        settle_s: float = 0.0,
    ) -> None:
        """Stop the load, wait until all is caught up, and hold everything against the reference.

        `duplicates`: most suggestions that may come twice; by default what was not committed when workers died.
        `settle_s`: how long expiry may go on after the last commit.
        """
        await self.feed.stop()
        self.measured["caught_up_s"] = round(await self.caught_up(within_s=within_s), 1)
        if self.watch.fences_may_go_back:
            await self.healed(within_s=within_s)
            settle_s = max(settle_s, HEALED_S)
        log = await Log.read(self.group, self.feed.poisoned)
        self.measured["records"] = len(log.orders) + len(log.baskets) + len(log.returns) + len(log.erasures)
        self.reference = recount(log, rules_of(self.settings))
        self.measured["rows"] = await self._counts_hold(settle_s)
        await self.watch.sample()
        most = self.duplicates_allowed if duplicates is None else duplicates
        if self.watch.fences_may_go_back:
            most += self.watch.answered_again
        expected = suggestion_ids(self.prefix + BASKETS, log.baskets)
        if self.settings.answer_orders == "all":
            places = {claim[:2] for claim in self.reference.claims().values()}
            counted = [record for record in log.orders if (record.partition, record.offset) in places]
            expected += suggestion_ids(self.prefix + ORDERS, counted, "order_id")
        published = [
            json.loads(record.value) for record in await self.group.read(SUGGESTIONS) if record.value
        ]
        twice = prove_suggestions([answer["suggestion_id"] for answer in published], expected, most)
        self.measured["suggestions_twice"] = twice
        for topic in DEAD_LETTER_TOPICS:
            prove_dead_letters(topic, await self.group.read(topic + DEAD), self.feed.poisoned, most)
        await self.watch.sample()
        prove_watched(self.watch, silence_s=silence_s)
        self.measured["rss_mib"] = self.watch.most_rss >> 20
        self.measured["descriptors"] = self.watch.most_descriptors
        self.measured["silence_s"] = round(self.watch.longest_silence_s, 1)
        self.history.note("proved", **self.measured)
