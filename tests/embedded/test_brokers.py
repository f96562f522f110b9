"""The embedded broker and Apache Kafka on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.embedded import Broker, apache_kafka, embedded_broker
from stream.embedded.broker import broker_program
from stream.embedded.jars import cache_folder, java_program, java_version, kafka_jars
from stream.errors import OperatorError
from stream.topics import TopicSpec, make_topics


async def write(broker: Broker, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=broker.idempotent
    ) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read(broker: Broker, topic: str) -> list[bytes | None]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values = []
        while await consumer.position(partition) < end:
            values.append((await consumer.getone()).value)
        return values


async def test_the_embedded_broker_keeps_records_and_says_it_is_not_idempotent() -> None:
    async with embedded_broker() as broker:
        await make_topics(broker.bootstrap, [TopicSpec("orders", 1, {})])
        await write(broker, "orders", [b"a", b"b"])

        assert await read(broker, "orders") == [b"a", b"b"]
        assert (broker.kind, broker.idempotent) == ("embedded", False)


async def test_a_missing_wheel_is_told_with_the_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(OperatorError) as error:
        broker_program()

    assert "--broker apache" in error.value.remedy


@pytest.fixture
async def java() -> str:
    """Whether Apache Kafka can run here. Where it must (CI), the session's own Kafka fails instead."""
    try:
        await kafka_jars()
        return await java_program()
    except OperatorError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(exc.problem)


@pytest.mark.slow
async def test_a_node_of_apache_kafka_that_was_killed_comes_back_with_its_records(java: str) -> None:
    async with apache_kafka() as broker:
        await make_topics(broker.bootstrap, [TopicSpec("orders", 1, {})])
        await write(broker, "orders", [b"a", b"b"])

        await broker.nodes[0].kill()
        await broker.nodes[0].start()
        await make_topics(broker.bootstrap, [TopicSpec("orders", 1, {})])

        assert await read(broker, "orders") == [b"a", b"b"]


@pytest.mark.slow
async def test_three_nodes_hold_three_copies_and_stand_the_loss_of_one(java: str) -> None:
    async with apache_kafka(nodes=3) as broker:
        await make_topics(broker.bootstrap, [TopicSpec("orders", 1, {})], replication=3)
        await broker.nodes[0].kill()

        await write(broker, "orders", [b"a"])

        assert await read(broker, "orders") == [b"a"]


@pytest.mark.parametrize(
    ("printed", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ("Picked up JAVA_TOOL_OPTIONS: -Xmx1g", 0),
    ],
)
def test_the_version_of_java_is_read_from_what_it_prints(printed: str, major: int) -> None:
    assert java_version(printed) == major


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_an_old_java_is_named_with_the_version_that_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(OperatorError, match=r"needs Java 17; .* is Java 11"):
        await java_program()


async def test_java_home_comes_before_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "java", "echo 'openjdk version \"99\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert await java_program() == str(tmp_path / "bin" / "java")


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


# Makes the one jar that is looked for, in the folder asked for, and notes that it was called.
MAVEN = """
for argument; do
    case "$argument" in -DoutputDirectory=*) folder=${argument#*=} ;; esac
done
mkdir "$folder" && touch "$folder/kafka_2.13.jar" && echo called >> "$(dirname "$0")/calls"
"""


async def test_jars_are_fetched_once(empty_cache: Path) -> None:
    program(empty_cache, "mvn", MAVEN)

    first = await kafka_jars()
    second = await kafka_jars()

    assert first == second == cache_folder()
    assert (first / "kafka_2.13.jar").exists()
    assert (empty_cache / "calls").read_text() == "called\n"


async def test_a_failed_fetch_shows_what_maven_said_and_leaves_no_half_cache(empty_cache: Path) -> None:
    program(empty_cache, "mvn", "echo 'Unknown host repo'; exit 1")

    with pytest.raises(OperatorError, match="Unknown host repo"):
        await kafka_jars()

    assert not cache_folder().exists()
    assert [path.name for path in cache_folder().parent.iterdir()] == [cache_folder().name + ".lock"]
