"""Fixtures of the transport's tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transport.workers import Cluster, fresh_name


@pytest.fixture
def cluster(kafka: Any) -> Cluster:
    """The Kafka the tests run on."""
    return Cluster(kafka.bootstrap)


@pytest.fixture
def group() -> str:
    """A consumer group of the test's own."""
    return fresh_name("group")
