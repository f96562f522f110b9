"""How the tests find their Kafka and their Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from stream.errors import OperatorError
from tests import containers, services
from tests.services import NotHereError, Services, hosted


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing given, no Docker, no Java."""

    @asynccontextmanager
    async def no_java() -> AsyncIterator[None]:
        raise OperatorError("there is no Java", "")
        yield

    def no_docker() -> None:
        raise containers.NoDockerError("no engine answers")

    for name in ("BASKETSTREAM_TEST_KAFKA", "BASKETSTREAM_TEST_REDIS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(services, "apache_kafka", no_java)
    monkeypatch.setattr(containers, "_ask_engine", no_docker)


def test_an_address_in_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASKETSTREAM_TEST_KAFKA", "broker.example:9092")
    monkeypatch.setenv("BASKETSTREAM_TEST_REDIS", "redis://redis.example/3")
    found = Services()

    assert found.kafka().bootstrap == "broker.example:9092"
    assert found.kafka().kind == "given"
    assert found.redis_url() == "redis://redis.example/3"
    assert found.notes == ["Kafka: the one given, broker.example:9092", "Redis: the one given"]


def test_the_embedded_broker_is_the_last_resort_and_says_so() -> None:
    found = Services()

    with found.stack:
        assert found.kafka().kind == "embedded"
        assert found.kafka() is found.kafka()

    assert found.notes[0] == "Kafka: THE EMBEDDED BROKER, not Apache Kafka"
    assert "  (not: there is no Java)" in found.notes


def test_continuous_integration_fails_without_apache_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    found = Services()

    for _ in range(2):
        with pytest.raises(RuntimeError, match="CI=true asks for Apache Kafka"):
            found.kafka()

    assert "there is no Java" in found.notes[0]


def test_a_service_without_docker_tries_the_next_way() -> None:
    with ExitStack() as stack, pytest.raises(NotHereError, match="no engine answers"):
        services.docker_redis(stack, [])


def test_a_hosted_service_that_fails_while_it_starts_raises_here() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[int]:
        raise OperatorError("the disk is full", "make room")
        yield 1

    with pytest.raises(OperatorError, match="the disk is full"), hosted(broken):
        pytest.fail("it did not start")


def test_a_hosted_service_is_stopped_at_the_end() -> None:
    log = []

    @asynccontextmanager
    async def service() -> AsyncIterator[int]:
        log.append("started")
        yield 7
        log.append("stopped")

    with hosted(service) as value:
        assert (value, log) == (7, ["started"])

    assert log == ["started", "stopped"]
