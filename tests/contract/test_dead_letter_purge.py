"""Dead letters that quote a customer are deleted, and no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from stream.dead_letter_log import list_dead_letters
from stream.dead_letter_purge import holds, purge_dead_letters
from stream.dead_letter_replay import replay_dead_letters
from stream.dead_letters import DeadLetter, DeadLetters
from stream.embedded import Broker
from stream.errors import OperatorError, PoisonEvent
from stream.publisher import Publisher
from stream.topics import ORDER_PLACED, dead_letter_topic
from stream.verification.log_reader import read_log
from tests.kafka_records import kafka_record

VALUES = [b'{"customer_id":"ann"}', b"{", rb'{"customer_id":"\u0061nn"}', b'{"customer_id":"bob"}', b"ann,"]


@pytest.fixture
async def topic(make_shop_topics: Callable[..., Awaitable[str]], publisher: Publisher) -> str:
    only = [ORDER_PLACED, dead_letter_topic(ORDER_PLACED)]
    topic = await make_shop_topics(partitions=2, only=only) + ORDER_PLACED
    poison = PoisonEvent("SCHEMA", "$", "a test's word for it")
    letters = [
        DeadLetter(kafka_record(topic, b"key-%d" % n, value, offset=n), poison, "decode")
        for n, value in enumerate(VALUES)
    ]
    await DeadLetters(publisher).send(letters)
    return topic


async def test_only_letters_that_hold_the_text_are_deleted(
    kafka: Broker, topic: str, publisher: Publisher
) -> None:
    before = {(r.key, r.value, r.headers) async for r in read_log(kafka.bootstrap, topic + "-dlt")}

    looked = await purge_dead_letters(kafka.bootstrap, topic, "ann", publisher=publisher, dry_run=True)
    done = await purge_dead_letters(kafka.bootstrap, topic, "ann", publisher=publisher)

    assert (looked.purged, looked.kept) == (done.purged, done.kept) == (3, 2)
    after = {(r.key, r.value, r.headers) async for r in read_log(kafka.bootstrap, topic + "-dlt")}
    assert after < before
    assert {value for _, value, _ in after} == {VALUES[1], VALUES[3]}
    again = await purge_dead_letters(kafka.bootstrap, topic, "ann", publisher=publisher)
    assert (again.purged, again.kept) == (0, 2)


async def test_letters_that_stay_can_be_replayed_once_and_replayed_ones_go_with_the_purge(
    kafka: Broker, topic: str, publisher: Publisher
) -> None:
    await purge_dead_letters(kafka.bootstrap, topic, "bob", publisher=publisher)
    report = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)

    done = await purge_dead_letters(kafka.bootstrap, topic, "ann", publisher=publisher)

    assert report.replayed == {"SCHEMA": 4}
    assert (done.purged, done.kept, done.replayed) == (3, 0, 1)
    assert await list_dead_letters(kafka.bootstrap, topic, limit=10) == []


async def test_a_topic_without_dead_letters_is_named(kafka: Broker, publisher: Publisher) -> None:
    with pytest.raises(OperatorError, match="no topic nowhere-dlt"):
        await purge_dead_letters(kafka.bootstrap, "nowhere", "ann", publisher=publisher)


@pytest.mark.parametrize("value", [b'{"a":["x",{"b":"n\\u00e4he"}]}', "nähe".encode(), b"n\xc3\xa4he"])
def test_a_text_is_found_however_it_is_written(value: bytes) -> None:
    record = kafka_record("order-placed", b"key", value)

    assert holds(record, "nähe")
    assert not holds(record, "fern")
