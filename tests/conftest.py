"""What every test may ask for: a Kafka, an empty Redis, topics of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator

import pytest
import redis
from hypothesis import settings

from stream.embedded import Broker
from tests.redis_cluster import LocalCluster
from tests.services import Services, fresh_prefix, fresh_topics

pytest_plugins = ["tests.faults.plugin", "tests.scenarios.plugin"]

SERVICES = pytest.StashKey[Services]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVICES] = Services()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("brokers")
    for note in config.stash[SERVICES].notes or ["no test asked for Kafka or Redis"]:
        terminalreporter.write_line(note)


TOLD_AT_ONCE = 40
"""Last lines of a failure that are shown when it happens, a quarter of an hour before the whole of it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    terminal = item.config.pluginmanager.get_plugin("terminalreporter")
    if report.failed and terminal is not None:
        terminal.write_line(f"\nFAILED {report.nodeid} ({report.when})")
        for line in report.longreprtext.splitlines()[-TOLD_AT_ONCE:]:
            terminal.write_line(line)
    return report


# `--hypothesis-profile=long`: what looks longer there says so itself.
settings.register_profile("long", settings.default)


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> Iterator[Services]:
    """What is started at the first need and stopped at the end of the session."""
    services = pytestconfig.stash[SERVICES]
    with services.stack:
        yield services


@pytest.fixture
def kafka(services: Services) -> Broker:
    """The session's Kafka; a test keeps to topics and groups with names of its own."""
    return services.kafka()


@pytest.fixture
def redis_url(services: Services) -> str:
    """The session's Redis, emptied."""
    url = services.redis_url()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def redis_cluster(services: Services) -> LocalCluster:
    """The session's Redis Cluster; whoever uses it empties it first."""
    return services.redis_cluster()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics that no other test has; the topics are still to be made."""
    return fresh_prefix()


@pytest.fixture
def make_shop_topics(kafka: Broker) -> Callable[..., Awaitable[str]]:
    """`prefix = await make_shop_topics(partitions=2, only=None)`: the topics under a fresh prefix."""

    async def make(**choices: object) -> str:
        return await fresh_topics(kafka, **choices)  # type: ignore[arg-type]

    return make
