"""Whole workers on a real Kafka and a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from stream.embedded import Broker
from tests.e2e.shop import Shop


@pytest.fixture
async def shop(
    kafka: Broker, redis_url: str, make_shop_topics: Callable[..., Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Shop]:
    """An empty shop with two partitions a topic and no worker yet."""
    made = Shop(kafka, redis_url, await make_shop_topics(partitions=2), tmp_path)
    yield made
    await made.stop()
