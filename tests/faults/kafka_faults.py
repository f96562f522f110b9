"""An Apache Kafka of the round's own behind links of ours, and what one does to its node."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from stream.embedded import Broker, apache_kafka
from stream.embedded.ports import free_ports
from tests.faults.arena import Arena
from tests.faults.calls import KafkaCalls
from tests.faults.proxy import Proxy


@dataclass(frozen=True, slots=True)
class LinkedKafka:
    """Workers that are given `bootstrap` come over `link`; the arena, at `broker`, does not."""

    broker: Broker
    link: Proxy

    @property
    def bootstrap(self) -> str:
        """Where the link listens."""
        return f"127.0.0.1:{self.link.port}"


@asynccontextmanager
async def linked_kafka() -> AsyncIterator[LinkedKafka]:
    """One node and the link to it."""
    port = free_ports(1)[0]
    async with apache_kafka(links=[port]) as broker:
        with Proxy(broker.link_ports[0], port=port, calls=KafkaCalls) as link:
            yield LinkedKafka(broker, link)


def nobody_crashed(arena: Arena) -> None:
    """The workers waited for the broker; no supervisor had to start one again."""
    codes = {worker.name: worker.process.returncode for worker in arena.workers}
    assert set(codes.values()) == {None}, codes


async def progresses(arena: Arena, *, within_s: float = 120.0) -> float:
    """Return once the broker answers and the group commits more than then; seconds it took.

    What is not committed when the broker answers again may have been answered already: it may come twice.
    """
    began, first = time.monotonic(), -1
    async with asyncio.timeout(within_s):
        while True:
            with suppress(KafkaError, TimeoutError):
                stands = sum(max(offset, 0) for offset in (await arena.group.committed()).values())
                if first < 0:
                    await arena.note_death()
                    first = stands
                elif stands > first:
                    return time.monotonic() - began
            await asyncio.sleep(0.1)


def pause_node(broker: Broker, number: int = 0) -> None:
    """SIGSTOP: the node stands still, its connections stay."""
    os.killpg(broker.nodes[number].pid, signal.SIGSTOP)


def resume_node(broker: Broker, number: int = 0) -> None:
    """SIGCONT."""
    os.killpg(broker.nodes[number].pid, signal.SIGCONT)
