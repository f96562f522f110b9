"""Apache Kafka on this machine, from Maven jars: KRaft, one node or three, all on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stream.embedded.broker import Broker
from stream.embedded.jars import java_program, kafka_jars
from stream.embedded.ports import answers, free_ports
from stream.embedded.process import ChildProcess, Ready, kept_alive, run_program
from stream.embedded.scratch import scratch_folder
from stream.errors import OperatorError
from stream.topics import admin_client

_START_TIMEOUT_S = 120.0


@asynccontextmanager
async def apache_kafka(*, nodes: int = 1, links: Sequence[int] = ()) -> AsyncIterator[Broker]:
    """Run Apache Kafka for the time of the body; `nodes` is 1 or 3.

    `links`, one port a node, are where something of ours forwards to `Broker.link_ports`: clients that come
    that way are told to stay on it.

    A node that is stopped and started again keeps its port and its log. The jars are fetched at first use.
    Raises OperatorError when Java or Maven are missing, or when a node dies while the body runs.
    """
    if nodes not in (1, 3):
        raise ValueError("a quorum has 1 or 3 nodes here")
    java = await java_program()
    classpath = f"{await kafka_jars()}/*"
    if len(links) not in (0, nodes):
        raise ValueError("one link a node")
    ports = free_ports(2 * nodes + len(links))
    link_ports = ports[2 * nodes :]
    with scratch_folder("kafka") as folder:
        files = _write_properties(
            folder, ports[:nodes], ports[nodes : 2 * nodes], dict(zip(link_ports, links, strict=True))
        )
        await _format(java, classpath, files)
        children = [
            ChildProcess(
                f"Apache Kafka node {number}",
                [java, *_jvm("1g" if nodes == 1 else "512m"), "-cp", classpath, "kafka.Kafka", str(file)],
                log=folder / f"node-{number}.log",
                ready=_port_answers(port),
            )
            for number, (file, port) in enumerate(zip(files, ports, strict=False), start=1)
        ]
        bootstrap = ",".join(f"127.0.0.1:{port}" for port in ports[:nodes])
        # Its log goes with the folder; three nodes that leave together would wait for each other in vain.
        async with kept_alive(*children, grace_s=2.0):
            await _start(children, bootstrap)
            yield Broker(bootstrap, "apache", nodes=tuple(children), link_ports=tuple(link_ports))


def _write_properties(
    folder: Path, ports: Sequence[int], controller_ports: Sequence[int], links: Mapping[int, int]
) -> list[Path]:
    """One file a node; `links` is the port of each node's second listener to the port it advertises, if any."""
    count = len(ports)
    majority = count // 2 + 1
    voters = ",".join(f"{i}@127.0.0.1:{port}" for i, port in enumerate(controller_ports, start=1))
    written = []
    for number, (port, controller_port) in enumerate(zip(ports, controller_ports, strict=True), start=1):
        link = [pair for at, pair in enumerate(links.items(), start=1) if at == number]
        properties = {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": voters,
            "listeners": ",".join(
                [
                    f"PLAINTEXT://127.0.0.1:{port}",
                    f"CONTROLLER://127.0.0.1:{controller_port}",
                    *(f"LINK://127.0.0.1:{real}" for real, _ in link),
                ]
            ),
            "advertised.listeners": ",".join(
                [f"PLAINTEXT://127.0.0.1:{port}", *(f"LINK://127.0.0.1:{told}" for _, told in link)]
            ),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LINK:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": folder / f"node-{number}",
            "default.replication.factor": count,
            "min.insync.replicas": majority,
            "offsets.topic.replication.factor": count,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": majority,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": count,
            "share.coordinator.state.topic.min.isr": majority,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            # A node that was killed may come back so long after its last heartbeat, not before.
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
        }
        file = folder / f"node-{number}.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        written.append(file)
    return written


async def _format(java: str, classpath: str, files: Sequence[Path]) -> None:
    """Write the cluster's id into every node's log folder."""
    cluster_id = _cluster_id()
    for file in files:
        tool = [java, *_jvm("256m"), "-cp", classpath, "kafka.tools.StorageTool"]
        code, printed = await run_program(
            [*tool, "format", "-t", cluster_id, "-c", str(file)], timeout_s=_START_TIMEOUT_S
        )
        if code != 0:
            raise OperatorError(
                f"Apache Kafka could not format its log folder:\n{printed}",
                "Is there room left on the disk of the temporary folder?",
            )


def _cluster_id() -> str:
    """A base64url UUID; one that began with `-` would look like an option to the storage tool."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _jvm(heap: str) -> list[str]:
    # The serial collector starts fastest and is enough here; performance data would leave files behind.
    return [
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    ]


def _port_answers(port: int) -> Ready:
    return lambda: answers(port)


async def _start(nodes: Sequence[ChildProcess], bootstrap: str) -> None:
    """Start the nodes together, for no one of three is ready alone, and wait until all have joined."""
    async with asyncio.TaskGroup() as starting:
        for node in nodes:
            starting.create_task(node.start(timeout_s=_START_TIMEOUT_S))
    async with asyncio.timeout(_START_TIMEOUT_S), admin_client(bootstrap) as admin:
        while len((await admin.describe_cluster())["brokers"]) < len(nodes):
            await asyncio.sleep(0.1)
