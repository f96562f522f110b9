"""What `basketstream doctor` looks at: Kafka, the topics, Redis, the contracts. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from stream.errors import OperatorError
from stream.kafka_address import shown
from stream.ops.finding import Finding
from stream.ops.redis_examination import examine_redis
from stream.topics import TopicSpec, admin_client, topic_specs

_SCHEMAS = Path(__file__).parents[2] / "schemas"
_MAKE_TOPICS = "basketstream topics create"


async def examine(
    bootstrap: str, redis_url: str, *, prefix: str = "", partitions: int | None = None
) -> list[Finding]:
    """Every finding, in the order in which one would mend them.

    `partitions` is what each topic should have; None takes any number.
    """
    return [
        *await examine_kafka(bootstrap, prefix=prefix, partitions=partitions),
        *await examine_redis(redis_url),
        examine_contracts(),
    ]


async def examine_kafka(bootstrap: str, *, prefix: str = "", partitions: int | None = None) -> list[Finding]:
    """Whether the cluster answers and holds the topics as we would make them."""
    try:
        async with admin_client(bootstrap, request_timeout_ms=10_000) as admin:
            cluster = await admin.describe_cluster()
            topics = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
            configs = await _topic_configs(
                admin, [spec.name for spec in topic_specs(1, prefix=prefix)], topics
            )
    except OperatorError as exc:
        return [Finding("kafka", False, exc.problem, exc.remedy)]
    except (KafkaError, OSError) as exc:
        return [
            Finding(
                "kafka", False, f"{shown(bootstrap)} answers with an error: {exc!r}", "See the broker's log."
            )
        ]
    brokers = len(cluster["brokers"])
    where = f"{brokers} broker{'s' * (brokers > 1)} at {shown(bootstrap)}, cluster {cluster['cluster_id']}"
    return [
        Finding("kafka", True, where),
        *_topic_findings(
            topic_specs(partitions or 1, prefix=prefix), topics, configs, partitions is not None
        ),
        *_copies(prefix, topics, brokers),
    ]


async def _topic_configs(
    admin: Any, names: Sequence[str], there: Mapping[str, object]
) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names if name in there]
    if not resources:
        return {}
    return {
        resource["resource_name"]: {
            entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]
        }
        for response in await admin.describe_configs(resources)
        for resource in response.to_object()["resources"]
    }


def _topic_findings(
    specs: Sequence[TopicSpec],
    topics: Mapping[str, Sequence[Any]],
    configs: Mapping[str, Mapping[str, str]],
    count_matters: bool,
) -> list[Finding]:
    """One finding for each topic that is not as it should be, or one that all are."""
    findings = []
    for spec in specs:
        if spec.name not in topics:
            findings.append(Finding("topic", False, f"{spec.name} is missing.", _MAKE_TOPICS))
            continue
        count = len(topics[spec.name])
        if count_matters and count != spec.partitions:
            findings.append(
                Finding(
                    "topic",
                    False,
                    f"{spec.name} has {count} partitions, not {spec.partitions}.",
                    "Partitions can be added but keys move then: make a new topic, or a new prefix.",
                )
            )
        findings.extend(
            Finding("topic", False, f"{spec.name}: {problem}.", f"kafka-configs --alter --topic {spec.name}")
            for problem in config_problems(spec.config, configs.get(spec.name, {}))
        )
    return findings or [Finding("topics", True, f"all {len(specs)} are there as they should be")]


def config_problems(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What is wrong with a topic's configuration. Keeping more, or for longer, than we would is not wrong.

    >>> config_problems({"retention.ms": "600"}, {"retention.ms": "300"})
    ['retention.ms is 300, wanted at least 600']
    >>> config_problems({"retention.ms": "600"}, {"retention.ms": "-1"})
    []
    """
    problems = []
    for name, value in wanted.items():
        held = found.get(name)
        if held is None or held == value:
            continue  # a broker that does not tell is not wrong
        if name == "cleanup.policy":
            if set(held.split(",")) != set(value.split(",")):
                problems.append(f"{name} is {held}, wanted {value}")
        elif int(held) != -1 and int(held) < int(value):
            problems.append(f"{name} is {held}, wanted at least {value}")
    return problems


def _copies(prefix: str, topics: Mapping[str, Sequence[Any]], brokers: int) -> list[Finding]:
    alone = sorted(
        spec.name
        for spec in topic_specs(1, prefix=prefix)
        if any(len(partition["replicas"]) < 2 for partition in topics.get(spec.name, ()))
    )
    if not alone or brokers == 1:
        return []
    return [
        Finding(
            "copies",
            None,
            f"A broker's loss loses records of {', '.join(alone)}: there is one copy.",
            "kafka-reassign-partitions, to three replicas with min.insync.replicas=2.",
        )
    ]


def examine_contracts() -> Finding:
    """Whether `schemas/` says what the typed events say; it lies beside the sources, not in the package."""
    if not _SCHEMAS.is_dir():
        return Finding("contracts", None, "schemas/ is not part of an installed package: nothing to compare")
    from stream.contracts import drift  # builds every schema: only when it is asked for

    differing = drift()
    if not differing:
        return Finding("contracts", True, "schemas/ agrees with the typed events")
    return Finding("contracts", False, f"schemas/ differs in {', '.join(differing)}", "make schemas")
