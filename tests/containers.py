"""Kafka and Valkey in Docker containers, for machines with a Docker engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.errors import DockerException

from stream.embedded.ports import free_ports

KAFKA_IMAGE = "apache/kafka:4.1.0"
VALKEY_IMAGE = "valkey/valkey:8.1.4"
"""Both as in docker-compose.yml; a test compares them."""

_UNREACHABLE = (DockerException, requests.exceptions.RequestException, OSError, RuntimeError)


class NoDockerError(Exception):
    """There is no Docker engine, or it cannot get the image."""


@contextmanager
def kafka() -> Iterator[str]:
    """Apache Kafka in a container: its bootstrap address. Raises NoDockerError."""
    _ask_engine()
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.docker_client import DockerClient
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    # A client is sent to the address that Kafka advertises, so the port must be known before the start:
    # the same number inside and outside.
    (port,) = free_ports(1)
    host = DockerClient().host()
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_bind_ports(port, port)
        .with_envs(**kafka_environment(host, port))
        .waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(120))
    )
    with _started(container):
        yield f"{host}:{port}"


def kafka_environment(host: str, port: int) -> dict[str, str]:
    """The settings of one KRaft node that clients reach at `host`:`port`."""
    return {
        "CLUSTER_ID": "basketstreamTests00001",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,HOST:PLAINTEXT",
        "KAFKA_LISTENERS": f"HOST://0.0.0.0:{port},INTERNAL://localhost:29092,CONTROLLER://localhost:29093",
        "KAFKA_ADVERTISED_LISTENERS": f"HOST://{host}:{port},INTERNAL://localhost:29092",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


@contextmanager
def valkey() -> Iterator[str]:
    """Valkey in a container: its URL. Raises NoDockerError."""
    _ask_engine()
    from testcontainers.community.valkey import ValkeyContainer

    container = ValkeyContainer(VALKEY_IMAGE)
    container.with_command(["valkey-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"])
    with _started(container):
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@contextmanager
def _started(container: Any) -> Iterator[None]:
    """The container runs meanwhile. Raises NoDockerError."""
    try:
        container.start()
    except _UNREACHABLE as exc:
        container.stop()
        raise NoDockerError(str(exc)) from exc
    try:
        yield
    finally:
        container.stop()


def _ask_engine() -> None:
    try:
        client = docker.from_env(timeout=5)
    except DockerException as exc:
        raise NoDockerError("no engine answers") from exc
    try:
        client.ping()
    except _UNREACHABLE as exc:
        raise NoDockerError("no engine answers") from exc
    finally:
        client.close()
