"""A Kafka that asks who comes: workers and commands show themselves, and tell nobody their password."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream import topics
from stream.channels import BASKETS
from stream.embedded import Broker
from stream.events import BasketUpdated, Line
from stream.topics import create_topics
from tests.e2e.secured_kafka import PASSWORD, SecuredKafka, secured_kafka
from tests.e2e.shop import Shop
from tests.services import fresh_prefix, hosted


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One for all tests here."""
    with hosted(lambda: secured_kafka(tmp_path_factory.mktemp("secured"))) as kafka:
        yield kafka


@pytest.mark.parametrize("way", ["TLS by certificate", "SCRAM over TLS"])
async def test_a_basket_is_answered_over_a_kafka_that_asks_who_comes(
    guarded: SecuredKafka, redis_url: str, tmp_path: Path, way: str
) -> None:
    address = guarded.tls if way == "TLS by certificate" else guarded.sasl("SCRAM-SHA-512")
    prefix = fresh_prefix()
    await create_topics(address, partitions=1, prefix=prefix)
    shop = Shop(Broker(address, "given"), redis_url, prefix, tmp_path)
    try:
        worker = await shop.start_worker()
        await worker.ready()
        await shop.publish(BASKETS, [_basket()])
        await shop.caught_up(topics.BASKET_UPDATED)

        [answer] = await shop.read_all(topics.SUGGESTIONS)
        assert answer.key == b"b-1"
        findings = await shop.command("doctor")
        assert "127.0.0.1:" in findings
        told = findings + worker.log.read_text()
        assert PASSWORD not in told
        assert "p%40ss" not in told
    finally:
        await shop.stop()


@pytest.mark.parametrize(("mechanism", "tls"), [("PLAIN", True), ("PLAIN", False), ("SCRAM-SHA-512", False)])
async def test_commands_show_themselves_by_each_mechanism(
    guarded: SecuredKafka, tmp_path: Path, mechanism: str, tls: bool
) -> None:
    prefix, address = fresh_prefix(), guarded.sasl(mechanism, tls=tls)
    await create_topics(address, partitions=1, prefix=prefix)
    shop = Shop(Broker(address, "given"), "redis://127.0.0.1:1/0", prefix, tmp_path)

    await shop.publish(BASKETS, [_basket()])

    assert [record.key for record in await shop.read_all(topics.BASKET_UPDATED)] == [b"b-1"]


async def test_a_wrong_password_ends_a_worker_and_is_not_printed(
    guarded: SecuredKafka, redis_url: str, tmp_path: Path
) -> None:
    address = guarded.sasl("SCRAM-SHA-512", password="not-the-one")
    shop = Shop(Broker(address, "given"), redis_url, fresh_prefix(), tmp_path)

    complaint = await shop.command("worker", fails=True)

    assert "127.0.0.1:" in complaint
    assert "not-the-one" not in complaint


def _basket() -> BasketUpdated:
    return BasketUpdated(
        event_id="e-1",
        occurred_at=datetime.now(UTC),
        basket_id="b-1",
        channel="web",
        currency="EUR",
        lines=[Line("kettle", 1, 2_990)],
    )
