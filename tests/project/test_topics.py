"""The topics are made once, as the contract says, and never changed behind anybody's back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream import topics
from stream.embedded import Broker
from stream.embedded.ports import free_ports
from stream.errors import OperatorError
from stream.topics import admin_client, create_topics, dead_letter_topic, topic_specs

DAY_MS = 86_400_000


def config(name: str, **choices: bool) -> dict[str, str]:
    return next(dict(spec.config) for spec in topic_specs(4, **choices) if spec.name == name)


def test_every_consumed_topic_has_a_dead_letter_topic_that_takes_larger_records() -> None:
    for name in topics.CONSUMED:
        dead = config(dead_letter_topic(name))
        assert int(dead["max.message.bytes"]) > int(config(name)["max.message.bytes"])


def test_published_topics_have_no_dead_letter_topic() -> None:
    names = {spec.name for spec in topic_specs(1)}

    assert not names & {dead_letter_topic(name) for name in topics.PUBLISHED}
    assert len(names) == 2 * len(topics.CONSUMED) + len(topics.PUBLISHED)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("basket-updated", "delete"),
        ("order-placed", "delete"),
        ("order-returned", "delete"),
        ("product-updated", "compact"),
        ("customer-updated", "compact"),
        ("customer-erased", "delete"),
        ("suggestion-feedback", "delete"),
        ("suggestions", "delete"),
        ("customer-tier-changed", "compact"),
        ("erasure-proven", "delete"),
        ("kpi-updated", "compact"),
    ],
)
def test_each_topic_is_kept_as_the_contract_says(name: str, policy: str) -> None:
    assert config(name)["cleanup.policy"] == policy


def test_orders_are_kept_longer_than_the_longest_window() -> None:
    # 365 days of a customer's spend must be recountable from the log.
    assert int(config("order-placed")["retention.ms"]) > 365 * DAY_MS
    assert int(config("order-returned")["retention.ms"]) == int(config("order-placed")["retention.ms"])


def test_baskets_and_suggestions_are_kept_for_a_week() -> None:
    assert config("basket-updated")["retention.ms"] == str(7 * DAY_MS)
    assert config("suggestions")["retention.ms"] == str(7 * DAY_MS)


def test_a_replayed_past_is_not_deleted_for_its_age() -> None:
    kept = {spec.config.get("retention.ms", "-1") for spec in topic_specs(1, keep_for_ever=True)}

    assert kept == {"-1"}


def test_a_prefix_is_put_before_every_name() -> None:
    assert all(spec.name.startswith("north-") for spec in topic_specs(1, prefix="north-"))


async def test_topics_are_made_with_their_configuration(kafka: Broker, topic_prefix: str) -> None:
    reports = await create_topics(kafka.bootstrap, partitions=2, prefix=topic_prefix)

    assert {report.outcome for report in reports} == {"created"}
    assert {report.partitions for report in reports} == {2}
    async with admin_client(kafka.bootstrap) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic_prefix + "product-updated")
        (response,) = await admin.describe_configs([resource])
    (described,) = response.to_object()["resources"]
    found = {entry["config_names"]: entry["config_value"] for entry in described["config_entries"]}
    assert found["cleanup.policy"] == "compact"
    assert found["max.message.bytes"] == str(12 << 20)


async def test_existing_topics_are_left_alone_and_reported(kafka: Broker, topic_prefix: str) -> None:
    await create_topics(kafka.bootstrap, partitions=2, prefix=topic_prefix)

    again = await create_topics(kafka.bootstrap, partitions=3, prefix=topic_prefix)

    assert {(report.outcome, report.partitions, report.wanted) for report in again} == {("exists", 2, 3)}
    assert all(report.differs for report in again)


async def test_a_topic_that_kafka_refuses_is_named(kafka: Broker, topic_prefix: str) -> None:
    if kafka.kind == "embedded":
        pytest.skip("the embedded broker takes any replication factor")

    with pytest.raises(OperatorError, match=r"refused .*InvalidReplicationFactor") as error:
        await create_topics(kafka.bootstrap, replication=9, prefix=topic_prefix)

    assert "number of brokers" in error.value.remedy


async def test_a_kafka_that_does_not_answer_is_told_with_its_address() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(OperatorError, match=address):
        await create_topics(address)


async def test_a_test_can_have_some_of_the_topics_under_a_prefix_of_its_own(
    kafka: Broker, make_shop_topics: Callable[..., object]
) -> None:
    prefix = await make_shop_topics(partitions=1, only=["order-placed"])  # type: ignore[misc]

    async with admin_client(kafka.bootstrap) as admin:
        mine = [name for name in await admin.list_topics() if name.startswith(prefix)]
    assert mine == [prefix + "order-placed"]
