"""`--broker embedded | apache | HOST:PORT` and `--redis embedded | URL`, as every command takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stream.embedded.apache import apache_kafka
from stream.embedded.broker import Broker, embedded_broker
from stream.embedded.redis import embedded_redis

EMBEDDED = "embedded"
APACHE = "apache"


@asynccontextmanager
async def chosen_broker(choice: str) -> AsyncIterator[Broker]:
    """The broker of a choice; one that is ours ends with the body. Raises OperatorError when it cannot start."""
    if choice == EMBEDDED:
        async with embedded_broker() as broker:
            yield broker
    elif choice == APACHE:
        async with apache_kafka() as broker:
            yield broker
    else:
        yield Broker(choice, "given")


@asynccontextmanager
async def chosen_redis(choice: str) -> AsyncIterator[str]:
    """The URL of a choice; a Redis that is ours ends with the body. Raises OperatorError when it cannot start."""
    if choice == EMBEDDED:
        async with embedded_redis() as server:
            yield server.url
    else:
        yield choice


def starts_something(*choices: str) -> bool:
    """Whether any of the choices is a service of ours."""
    return any(choice in (EMBEDDED, APACHE) for choice in choices)
