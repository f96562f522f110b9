"""The stage of a run: a broker, a Redis, topics, and names that no earlier run has used."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from stream.demo.keeper import kept_services
from stream.demo.options import DemoOptions
from stream.embedded.broker import Broker
from stream.embedded.choice import chosen_broker, chosen_redis, starts_something
from stream.settings import PREFIX, Settings, load_settings
from stream.tables.tables import Tables
from stream.topics import BASKET_UPDATED, admin_client, create_topics, partition_counts

QUICKER = {
    # The end of the demo waits for the last commit.
    "COMMIT_INTERVAL_S": "0.5",
    # A worker that was killed holds its partitions for so long; the embedded broker waits for half of the
    # second one whenever a worker joins.
    "SESSION_TIMEOUT_S": "6",
    "REBALANCE_TIMEOUT_S": "4",
}
"""What is quicker than in production, where workers are many and pauses are longer."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the run takes place; `settings` are those of its workers."""

    broker: Broker
    redis_url: str
    settings: Settings
    keeper_pid: int | None = None

    def environ(self) -> dict[str, str]:
        """The environment of a process that takes part: ours, with these settings."""
        quicker = {PREFIX + name: value for name, value in QUICKER.items()}
        return {**quicker, **os.environ, **self.names()}

    def names(self) -> Mapping[str, str]:
        """What another process must have set to see what this run left behind."""
        settings = self.settings
        return {
            f"{PREFIX}BROKER": settings.broker,
            f"{PREFIX}REDIS_URL": settings.redis_url,
            f"{PREFIX}IDEMPOTENT": str(int(settings.idempotent)),
            f"{PREFIX}GROUP": settings.group,
            f"{PREFIX}NAMESPACE": settings.namespace,
            f"{PREFIX}TOPIC_PREFIX": settings.topic_prefix,
        }


@asynccontextmanager
async def staged(options: DemoOptions) -> AsyncIterator[Stage]:
    """Start what is to be started, make the topics, and take it all down again, unless it is to be kept.

    On a broker and a Redis of yours the usual names are taken when nothing is there under them, else fresh
    ones; what the run wrote stays there. Raises OperatorError when something cannot be started.
    """
    async with AsyncExitStack() as services:
        pid = None
        if options.keep and starts_something(options.broker, options.redis):
            kept = await services.enter_async_context(kept_services(options.broker, options.redis))
            broker, url, pid = kept.broker, kept.redis_url, kept.pid
        else:
            broker = await services.enter_async_context(chosen_broker(options.broker))
            url = await services.enter_async_context(chosen_redis(options.redis))
        settings = await _settings(broker, url)
        await create_topics(broker.bootstrap, partitions=options.partitions, prefix=settings.topic_prefix)
        yield Stage(broker, url, settings, pid)


async def _settings(broker: Broker, url: str) -> Settings:
    # Of a broker of yours the environment knows whether it takes idempotent producers.
    idempotent = None if broker.kind == "given" else broker.idempotent
    where: dict[str, Any] = {"broker": broker.bootstrap, "redis_url": url, "idempotent": idempotent}
    usual = load_settings(**where)
    if await _is_free(usual):
        return usual
    name = f"demo-{token_hex(4)}"
    return load_settings(**where, group=name, namespace=name, topic_prefix=f"{name}.")


async def _is_free(settings: Settings) -> bool:
    """Nobody has topics or tables under these names."""
    async with admin_client(settings.broker) as admin:
        if settings.topic_prefix + BASKET_UPDATED in await partition_counts(admin):
            return False
    tables = Tables.on_redis(settings)
    try:
        return await tables.is_new()
    finally:
        await tables.close()
