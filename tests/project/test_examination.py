"""The doctor's findings: what is wrong, and what to do about it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from stream.embedded import Broker, embedded_redis
from stream.embedded.ports import free_ports
from stream.ops.examination import config_problems, examine, examine_contracts, examine_kafka
from stream.ops.finding import Finding
from stream.ops.redis_examination import examine_redis, redis_findings, replica_findings
from stream.tables.redis_url import read_redis_url
from stream.topics import TopicSpec, create_topics, make_topics, topic_specs
from tests.redis_cluster import LocalCluster
from tests.redis_servers import sentinel_group

HEALTHY = {
    "redis_version": "7.0.15",
    "maxmemory": 1 << 30,
    "maxmemory_human": "1.00G",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
}


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


async def test_a_kafka_with_all_topics_is_well(kafka: Broker, topic_prefix: str) -> None:
    await create_topics(kafka.bootstrap, partitions=2, prefix=topic_prefix)

    findings = await examine_kafka(kafka.bootstrap, prefix=topic_prefix, partitions=2)

    assert [(finding.name, finding.ok) for finding in findings] == [("kafka", True), ("topics", True)]


async def test_missing_topics_and_other_partition_counts_are_found(kafka: Broker, topic_prefix: str) -> None:
    specs = [spec for spec in topic_specs(2, prefix=topic_prefix) if not spec.name.endswith("suggestions")]
    await make_topics(kafka.bootstrap, specs)

    findings = await examine_kafka(kafka.bootstrap, prefix=topic_prefix, partitions=2)
    assert [finding.what for finding in findings[1:]] == [f"{topic_prefix}suggestions is missing."]
    assert findings[1].remedy == "basketstream topics create"

    findings = await examine_kafka(kafka.bootstrap, prefix=topic_prefix, partitions=5)
    assert f"{topic_prefix}order-placed has 2 partitions, not 5." in {finding.what for finding in findings}


async def test_a_topic_that_forgets_too_early_is_found(kafka: Broker, topic_prefix: str) -> None:
    hasty = TopicSpec(topic_prefix + "order-placed", 1, {"cleanup.policy": "delete", "retention.ms": "1000"})
    await make_topics(kafka.bootstrap, [hasty])
    await create_topics(kafka.bootstrap, partitions=1, prefix=topic_prefix)

    findings = await examine_kafka(kafka.bootstrap, prefix=topic_prefix)

    wrong = [finding.what for finding in findings if finding.ok is False and "retention" in finding.what]
    assert len(wrong) == 1
    assert "order-placed: retention.ms is 1000, wanted at least" in wrong[0]


def test_keeping_more_than_asked_for_is_no_problem() -> None:
    wanted = {"cleanup.policy": "delete", "retention.ms": "600", "max.message.bytes": "100"}

    assert config_problems(wanted, {**wanted, "retention.ms": "-1", "max.message.bytes": "200"}) == []
    assert config_problems(wanted, {}) == []
    assert config_problems(wanted, {**wanted, "cleanup.policy": "compact"}) == [
        "cleanup.policy is compact, wanted delete"
    ]


async def test_services_that_do_not_answer_are_findings_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.ops.examination.examine_contracts", lambda: Finding("contracts", True, ""))
    kafka_port, redis_port = free_ports(2)

    findings = await examine(f"127.0.0.1:{kafka_port}", f"redis://127.0.0.1:{redis_port}/0")

    assert [(finding.name, finding.ok) for finding in findings] == [
        ("kafka", False),
        ("redis", False),
        ("contracts", True),
    ]
    assert all(finding.remedy for finding in findings[:2])


async def test_our_own_redis_is_well_but_for_its_memory_limit() -> None:
    async with embedded_redis() as server:
        findings = by_name(await examine_redis(server.url))

    assert findings["redis"].ok
    assert findings["eviction"].ok
    assert findings["durability"].ok
    assert findings["memory limit"].ok is None


def test_a_healthy_redis_has_no_remedies() -> None:
    assert {(finding.ok, finding.remedy) for finding in redis_findings(HEALTHY)} == {(True, "")}


@pytest.mark.parametrize(
    ("change", "name", "ok"),
    [
        ({"redis_version": "6.0.16"}, "redis", False),
        ({"redis_version": "6.2.0"}, "redis", True),
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", False),
        ({"aof_enabled": 0}, "durability", None),
        ({"maxmemory": 0}, "memory limit", None),
    ],
)
def test_each_setting_of_redis_is_judged_alone(change: dict[str, object], name: str, ok: bool | None) -> None:
    finding = by_name(redis_findings({**HEALTHY, **change}))[name]

    assert finding.ok is ok
    assert bool(finding.remedy) is (ok is not True)


def test_valkey_is_called_by_its_name() -> None:
    assert redis_findings({**HEALTHY, "valkey_version": "8.1.4"})[0].what == "Valkey 8.1.4"


async def test_of_a_cluster_every_primary_is_looked_at(redis_cluster: LocalCluster) -> None:
    one = (await redis_cluster.primaries())[0]
    await one.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        findings = await examine_redis(redis_cluster.url)
    finally:
        await one.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")

    evictions = {finding.ok: finding.what for finding in findings if finding.name == "eviction"}
    assert evictions[False] == f"127.0.0.1:{one.port}: maxmemory-policy is allkeys-lru"
    assert evictions[True].count("127.0.0.1:") == 2
    assert by_name(findings)["cluster"].what.startswith("3 primaries: ")
    assert [finding.ok for finding in findings if finding.name == "redis"] == [True]


async def test_behind_sentinels_the_primary_is_looked_at() -> None:
    async with sentinel_group() as group:
        findings = by_name(await examine_redis(group.url))

    assert findings["redis"].ok
    assert findings["sentinel"].ok
    assert "replicas" not in findings


def test_a_primary_without_a_replica_is_named() -> None:
    place = read_redis_url("redis+cluster://a:1,b:2")

    findings = by_name(
        replica_findings(place, {"a:1": {"connected_slaves": 1}, "b:2": {"connected_slaves": 0}})
    )

    assert findings["replicas"].ok is None
    assert findings["replicas"].what.startswith("b:2 ")


async def test_a_url_of_no_known_form_is_a_finding() -> None:
    findings = await examine_redis("redis+something://a:1")

    assert [finding.ok for finding in findings] == [False]
    assert "redis+cluster://" in findings[0].remedy


def test_contracts_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    contracts = types.ModuleType("stream.contracts")
    contracts.drift = lambda: ["asyncapi.yaml"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stream.contracts", contracts)
    monkeypatch.setattr("stream.contracts", contracts, raising=False)

    finding = examine_contracts()

    assert (finding.ok, finding.remedy) == (False, "make schemas")
    assert "asyncapi.yaml" in finding.what


def test_an_installed_package_has_no_contracts_to_compare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("stream.ops.examination._SCHEMAS", tmp_path / "schemas")

    assert examine_contracts().ok is None
