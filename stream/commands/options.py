"""Options that several commands share, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.embedded.choice import EMBEDDED

Broker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="HOST:PORT",
        help="Kafka; also kafka://USER:PASSWORD@HOST:PORT and kafkas://... for TLS.  "
        "[default: BASKETSTREAM_BROKER, else 127.0.0.1:9092]",
    ),
]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        help="Redis; also redis+sentinel://HOST:PORT,.../SERVICE/DB and redis+cluster://HOST:PORT,...  "
        "[default: BASKETSTREAM_REDIS_URL, else redis://127.0.0.1:6379/0]",
    ),
]
BrokerChoice = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="embedded|apache|HOST:PORT",
        help="Kafka: one of ours for as long as the command runs, or the address of yours.",
    ),
]
RedisChoice = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="embedded|URL",
        help="Redis: one of ours for as long as the command runs, or yours.",
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="A policy file.  [default: BASKETSTREAM_POLICY_FILE]"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document a line on stdout, nothing else.")]
Partitions = Annotated[
    int, typer.Option(min=1, max=1_000, help="Partitions of each topic: the most workers at once.")
]
Replication = Annotated[int, typer.Option(min=1, max=10, help="Copies of each record; 3 in production.")]

__all__ = [
    "EMBEDDED",
    "Broker",
    "BrokerChoice",
    "Json",
    "Partitions",
    "PolicyFile",
    "Redis",
    "RedisChoice",
    "Replication",
]
