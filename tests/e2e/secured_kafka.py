"""An Apache Kafka that asks who comes: TLS with a certificate of its own, SASL by PLAIN and by SCRAM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from stream.embedded.jars import java_program, kafka_jars
from stream.embedded.ports import answers, free_ports
from stream.embedded.process import ChildProcess, kept_alive, run_program

USER = "till@shop"
PASSWORD = "p@ss:w/rd?50%"
CLUSTER_ID = "c2VjdXJlZC1rYWZrYS0wMQ"
START_TIMEOUT_S = 120.0


class SecuredKafka:
    """Its addresses, as `BASKETSTREAM_BROKER` takes them."""

    def __init__(self, ports: list[int], folder: Path) -> None:
        self._plain, _, self._tls, self._sasl_tls, self._sasl = (f"127.0.0.1:{port}" for port in ports)
        self._folder = folder

    @property
    def tls(self) -> str:
        """TLS on both sides: the broker asks for our certificate."""
        files = "&".join(f"{name}={self._folder / f'{name}.pem'}" for name in ("ca", "cert", "key"))
        return f"kafkas://{self._tls}?{files}"

    def sasl(self, mechanism: str, *, tls: bool = True, password: str = PASSWORD) -> str:
        """A name and a password, with TLS or without."""
        account = f"{quote(USER, safe='')}:{quote(password, safe='')}"
        if tls:
            return f"kafkas://{account}@{self._sasl_tls}?mechanism={mechanism}&ca={self._folder / 'ca.pem'}"
        return f"kafka://{account}@{self._sasl}?mechanism={mechanism}"


@asynccontextmanager
async def secured_kafka(folder: Path) -> AsyncIterator[SecuredKafka]:
    """Run it for the time of the body; its files and certificates are in `folder`."""
    java, classpath = await java_program(), f"{await kafka_jars()}/*"
    ports = free_ports(5)
    await _make_certificate(folder)
    properties = folder / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in _properties(ports, folder).items()))
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    tool = [java, "-Xmx256m", "-XX:-UsePerfData", "-cp", classpath, "kafka.tools.StorageTool"]
    code, printed = await run_program(
        [*tool, "format", "-t", CLUSTER_ID, "-c", str(properties), "--add-scram", scram],
        timeout_s=START_TIMEOUT_S,
    )
    assert code == 0, printed

    async def ready() -> bool:
        return all(await asyncio.gather(*(answers(port) for port in ports if port != ports[1])))

    command = [java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classpath]
    broker = ChildProcess(
        "secured Kafka",
        [*command, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "kafka.Kafka", str(properties)],
        log=folder / "broker.log",
        ready=ready,
    )
    async with kept_alive(broker, grace_s=2.0):
        await broker.start(timeout_s=START_TIMEOUT_S)
        yield SecuredKafka(ports, folder)


async def _make_certificate(folder: Path) -> None:
    """One certificate that is its own authority, for the broker and for its clients."""
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    code, printed = await run_program(
        ["openssl", "req", *made, *files, "-addext", "subjectAltName=IP:127.0.0.1"],
        timeout_s=START_TIMEOUT_S,
    )
    assert code == 0, printed
    certificate = (folder / "cert.pem").read_bytes()
    (folder / "ca.pem").write_bytes(certificate)
    (folder / "broker.pem").write_bytes((folder / "key.pem").read_bytes() + certificate)


def _properties(ports: list[int], folder: Path) -> dict[str, object]:
    names = ("PLAINTEXT", "CONTROLLER", "SSL", "SASL_SSL", "SASL_PLAINTEXT")
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    logins = {
        f"listener.name.{listener}.{mechanism}.sasl.jaas.config": login
        for listener in ("sasl_ssl", "sasl_plaintext")
        for mechanism, login in (
            ("plain", f'{plain} "user_{USER}"="{PASSWORD}";'),
            ("scram-sha-512", scram),
        )
    }
    stores = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "broker.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "ca.pem",
    }
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports[1]}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(text for name, text in listeners.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": ",".join(
            f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}" for name in names
        ),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        **logins,
        **stores,
        "listener.name.ssl.ssl.client.auth": "required",
        "log.dirs": folder / "log",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
    }
