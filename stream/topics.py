"""The topics: their names, what each keeps and for how long, and how they are made.

`docker compose up`, the demo, the tests and `basketstream topics create` all make them here.
Names are those of the public contract; a prefix (one shop of several on one Kafka) is put before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.errors import OperatorError
from stream.kafka_address import client_options, shown

BASKET_UPDATED = "basket-updated"
ORDER_PLACED = "order-placed"
ORDER_RETURNED = "order-returned"
PRODUCT_UPDATED = "product-updated"
CUSTOMER_UPDATED = "customer-updated"
CUSTOMER_ERASED = "customer-erased"
SUGGESTION_FEEDBACK = "suggestion-feedback"
SUGGESTIONS = "suggestions"
CUSTOMER_TIER_CHANGED = "customer-tier-changed"
ERASURE_PROVEN = "erasure-proven"
KPI_UPDATED = "kpi-updated"

CONSUMED = (
    BASKET_UPDATED,
    ORDER_PLACED,
    ORDER_RETURNED,
    PRODUCT_UPDATED,
    CUSTOMER_UPDATED,
    CUSTOMER_ERASED,
    SUGGESTION_FEEDBACK,
)
PUBLISHED = (SUGGESTIONS, CUSTOMER_TIER_CHANGED, ERASURE_PROVEN, KPI_UPDATED)
COMPACTED = frozenset({PRODUCT_UPDATED, CUSTOMER_UPDATED, CUSTOMER_TIER_CHANGED, KPI_UPDATED})

DEAD_LETTER_SUFFIX = "-dlt"

_DAY_MS = 86_400_000
_MIB = 1 << 20

SHORT_RETENTION_MS = 7 * _DAY_MS
"""Baskets and suggestions: what a consumer that was down for a long weekend still wants."""

ORDER_RETENTION_MS = 400 * _DAY_MS
"""Orders, returns, erasures and their proofs, feedback: longer than the longest window (365 days of a customer's
spend), so that the tables can be rebuilt and recounted from the log."""

DEAD_LETTER_RETENTION_MS = 30 * _DAY_MS

TOMBSTONE_RETENTION_MS = 7 * _DAY_MS
"""How long a compacted topic shows a deletion; longer than the longest outage of a consumer."""

MAX_MESSAGE_BYTES = 12 * _MIB
"""Far above what is accepted, so that a monster record reaches the worker and becomes a dead letter."""

DEAD_LETTER_MAX_MESSAGE_BYTES = 16 * _MIB
"""The monster record with the headers that say why it is here."""

_READY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as we make it."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What became of one topic; `partitions` is what it has, `wanted` what we would have made."""

    name: str
    outcome: Literal["created", "exists"]
    partitions: int
    wanted: int

    @property
    def differs(self) -> bool:
        """An existing topic has another number of partitions than asked for; it was left alone."""
        return self.partitions != self.wanted


def dead_letter_topic(topic: str) -> str:
    """Where records of `topic` go that can never be processed.

    >>> dead_letter_topic("order-placed")
    'order-placed-dlt'
    """
    return topic + DEAD_LETTER_SUFFIX


def topic_specs(partitions: int, *, prefix: str = "", keep_for_ever: bool = False) -> tuple[TopicSpec, ...]:
    """Every topic with its configuration.

    Kafka judges `retention.ms` by the time *in* the record. Orders of the past that are replayed with
    their own times would be deleted within minutes: `keep_for_ever` switches deletion by age off.
    """
    live = [
        TopicSpec(prefix + name, partitions, _config(name, keep_for_ever)) for name in CONSUMED + PUBLISHED
    ]
    dead = [
        TopicSpec(
            prefix + dead_letter_topic(name),
            partitions,
            _deleted_after(DEAD_LETTER_RETENTION_MS, DEAD_LETTER_MAX_MESSAGE_BYTES, keep_for_ever),
        )
        for name in CONSUMED
    ]
    return (*live, *dead)


def _config(name: str, keep_for_ever: bool) -> Mapping[str, str]:
    if name in COMPACTED:
        return {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(TOMBSTONE_RETENTION_MS),
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
        }
    short = name in (BASKET_UPDATED, SUGGESTIONS)
    retention_ms = SHORT_RETENTION_MS if short else ORDER_RETENTION_MS
    return _deleted_after(retention_ms, MAX_MESSAGE_BYTES, keep_for_ever)


def _deleted_after(retention_ms: int, max_message_bytes: int, keep_for_ever: bool) -> Mapping[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1" if keep_for_ever else str(retention_ms),
        "max.message.bytes": str(max_message_bytes),
    }


async def create_topics(
    bootstrap: str,
    *,
    partitions: int = 8,
    replication: int = 1,
    prefix: str = "",
    keep_for_ever: bool = False,
) -> list[TopicReport]:
    """Make the topics that are missing and wait until every one has a leader.

    Existing topics are never changed, only reported. Raises OperatorError when Kafka does not answer
    or refuses a topic.
    """
    specs = topic_specs(partitions, prefix=prefix, keep_for_ever=keep_for_ever)
    return await make_topics(bootstrap, specs, replication=replication)


async def make_topics(
    bootstrap: str, specs: Sequence[TopicSpec], *, replication: int = 1
) -> list[TopicReport]:
    """As `create_topics`, for the topics given; reports come in the order of `specs`."""
    async with admin_client(bootstrap) as admin:
        before = await partition_counts(admin)
        missing = [spec for spec in specs if spec.name not in before]
        if missing:
            await _create(admin, missing, replication)
        now = await _wait_for_leaders(admin, [spec.name for spec in specs])
    return [
        TopicReport(
            name=spec.name,
            outcome="exists" if spec.name in before else "created",
            partitions=now[spec.name],
            wanted=spec.partitions,
        )
        for spec in specs
    ]


@asynccontextmanager
async def admin_client(bootstrap: str, *, request_timeout_ms: int = 20_000) -> AsyncIterator[Any]:
    """A started admin client; raises OperatorError when no broker answers."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap), request_timeout_ms=request_timeout_ms)
    try:
        try:
            await admin.start()
        except (KafkaError, OSError) as exc:
            raise OperatorError(
                f"Kafka does not answer at {shown(bootstrap)}: {exc}",
                "Start it, or name the right address with --broker or BASKETSTREAM_BROKER.",
            ) from exc
        yield admin
    finally:
        await admin.close()


async def partition_counts(admin: Any) -> dict[str, int]:
    """Partitions of every topic the broker knows."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _create(admin: Any, specs: Sequence[TopicSpec], replication: int) -> None:
    # With three replicas a write counts when two hold it: one broker may be down without loss or halt.
    safety = {"min.insync.replicas": "2"} if replication >= 3 else {}
    response = await admin.create_topics(
        [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication,
                topic_configs={**spec.config, **safety},
            )
            for spec in specs
        ]
    )
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        # Another `topics create` may have been faster; that is what we wanted.
        if code and error is not TopicAlreadyExistsError:
            why = " ".join(str(part) for part in (error.__name__, *message) if part)
            raise OperatorError(
                f"Kafka refused to make the topic {name}: {why}",
                "Check the replication factor against the number of brokers, and the right to create topics.",
            )


async def _wait_for_leaders(admin: Any, names: Sequence[str]) -> dict[str, int]:
    """Partition counts once every named topic has a leader for each of its partitions."""
    waiting = set(names)
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while True:
                topics = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
                waiting = {name for name in names if not _has_leaders(topics.get(name, ()))}
                if not waiting:
                    return {name: len(topics[name]) for name in names}
                await asyncio.sleep(0.05)
    except TimeoutError as exc:
        raise OperatorError(
            f"Kafka has no leader for {', '.join(sorted(waiting))} after {_READY_TIMEOUT_S:.0f} s.",
            "Look into the brokers' logs; `basketstream doctor` shows which topics are there.",
        ) from exc


def _has_leaders(partitions: Sequence[Mapping[str, Any]]) -> bool:
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)
