"""Dead letters on a real Kafka: listed, replayed once, remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.dead_letter_log import list_dead_letters
from stream.dead_letter_replay import ReplayReport, replay_dead_letters
from stream.dead_letters import OUR_HEADERS, DeadLetter, DeadLetters
from stream.embedded import Broker
from stream.errors import OperatorError, PoisonEvent
from stream.producer import MESSAGE_BYTES
from stream.publisher import Outgoing, Publisher
from stream.topics import ORDER_PLACED, dead_letter_topic
from tests.broken_records import BROKEN
from tests.kafka_records import kafka_record

PARTITIONS = 3
BROKEN_ORDERS = BROKEN[ORDER_PLACED]
HEADERS = [("traceparent", b"00-1"), ("none", None), ("basketstream.replayed", b"the producer's own")]


@pytest.fixture
async def topic(make_shop_topics: Callable[..., Awaitable[str]]) -> str:
    only = [ORDER_PLACED, dead_letter_topic(ORDER_PLACED)]
    return await make_shop_topics(partitions=PARTITIONS, only=only) + ORDER_PLACED


@pytest.fixture
async def letters(publisher: Publisher, topic: str) -> list[DeadLetter]:
    """One dead letter for every broken order, sent."""
    letters = [
        DeadLetter(
            kafka_record(topic, broken.key, broken.value, headers=HEADERS, offset=number),
            PoisonEvent(broken.code, "$", name),
            "decode",
        )
        for number, (name, broken) in enumerate(BROKEN_ORDERS.items())
    ]
    await DeadLetters(publisher).send(letters)
    return letters


async def contents(kafka: Broker, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, max_partition_fetch_bytes=MESSAGE_BYTES)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        wanted = sum((await consumer.end_offsets(tps)).values())
        found: list[ConsumerRecord] = []
        while len(found) < wanted:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found.extend(records)
        return found
    finally:
        await consumer.stop()


def plain(report: ReplayReport) -> tuple[int, int, int, int]:
    return sum(report.replayed.values()), report.before, report.unasked, report.too_large


async def test_every_letter_is_listed_with_its_reason(
    kafka: Broker, topic: str, letters: list[DeadLetter]
) -> None:
    views = await list_dead_letters(kafka.bootstrap, topic, limit=1000)

    assert {(view.original_offset, view.code, view.problem) for view in views} == {
        (letter.record.offset, letter.error.code, letter.error.problem) for letter in letters
    }
    assert len(views) == len(letters)
    [monster] = [view for view in views if view.problem == "10 MB"]
    assert monster.value_bytes == len(BROKEN_ORDERS["10 MB"].value or b"") > 10_000_000
    assert len(monster.preview) == 1024
    assert not any(view.replayed for view in views)


async def test_a_limit_takes_the_newest(kafka: Broker, publisher: Publisher, topic: str) -> None:
    for number in range(7):
        record = kafka_record(topic, str(number).encode(), b"", offset=number)
        await DeadLetters(publisher).send([DeadLetter(record, PoisonEvent("EMPTY_VALUE", "$", ""), "decode")])

    newest = await list_dead_letters(kafka.bootstrap, topic, limit=3)

    assert len(newest) == 3
    everything = await list_dead_letters(kafka.bootstrap, topic, limit=7)
    assert newest == everything[-3:]
    assert await list_dead_letters(kafka.bootstrap, topic, limit=0) == []


async def test_a_replay_sends_the_original_and_a_second_one_nothing(
    kafka: Broker, publisher: Publisher, topic: str, letters: list[DeadLetter]
) -> None:
    first = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)
    second = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)

    assert plain(first) == (len(letters), 0, 0, 0)
    assert plain(second) == (0, len(letters), 0, 0)
    sent = await contents(kafka, topic)
    assert sorted((r.key or b"", r.value or b"") for r in sent) == sorted(
        (broken.key or b"", broken.value or b"") for broken in BROKEN_ORDERS.values()
    )
    assert all(list(record.headers) == HEADERS for record in sent)
    views = await list_dead_letters(kafka.bootstrap, topic, limit=1000)
    assert len(views) == len(letters)
    assert all(view.replayed for view in views)


async def test_a_dry_run_sends_nothing_and_remembers_nothing(
    kafka: Broker, publisher: Publisher, topic: str, letters: list[DeadLetter]
) -> None:
    before = await contents(kafka, dead_letter_topic(topic))

    report = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher, dry_run=True)

    assert (report.dry_run, plain(report)) == (True, (len(letters), 0, 0, 0))
    assert report.replayed["FUTURE_TIME"] == 2
    assert await contents(kafka, topic) == []
    assert len(await contents(kafka, dead_letter_topic(topic))) == len(before)


async def test_replaying_one_code_leaves_the_others_for_later(
    kafka: Broker, publisher: Publisher, topic: str, letters: list[DeadLetter]
) -> None:
    late = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher, codes={"FUTURE_TIME"})
    rest = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)

    assert late.replayed == {"FUTURE_TIME": 2}
    assert plain(late) == (2, 0, len(letters) - 2, 0)
    assert plain(rest) == (len(letters) - 2, 2, 0, 0)


async def test_a_letter_that_dies_again_is_a_new_letter(
    kafka: Broker, publisher: Publisher, topic: str
) -> None:
    error = PoisonEvent("NOT_JSON", "$", "no")
    await DeadLetters(publisher).send([DeadLetter(kafka_record(topic, b"k", b"{"), error, "decode")])
    await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)
    [again] = await contents(kafka, topic)
    await DeadLetters(publisher).send([DeadLetter(again, error, "decode")])

    report = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)

    assert plain(report) == (1, 1, 0, 0)


async def test_a_letter_that_was_cut_is_not_replayed(kafka: Broker, publisher: Publisher, topic: str) -> None:
    record = kafka_record(topic, b"k", b"v" * (MESSAGE_BYTES + 1))
    await DeadLetters(publisher).send([DeadLetter(record, PoisonEvent("TOO_LARGE", "$", "big"), "decode")])

    report = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)
    [view] = await list_dead_letters(kafka.bootstrap, topic, limit=5)

    assert plain(report) == (0, 0, 0, 1)
    assert view.value_bytes == MESSAGE_BYTES + 1


async def test_a_crash_before_the_marker_sends_a_letter_again_rather_than_never(
    kafka: Broker, publisher: Publisher, topic: str
) -> None:
    class Crashing:
        async def publish(self, to: str, messages: list[Outgoing]) -> None:
            if to == dead_letter_topic(topic):
                raise RuntimeError("killed")
            await publisher.publish(to, messages)

    record = kafka_record(topic, b"k", b"v")
    await DeadLetters(publisher).send([DeadLetter(record, PoisonEvent("SCHEMA", "$", "no"), "decode")])

    with pytest.raises(RuntimeError, match="killed"):
        await replay_dead_letters(kafka.bootstrap, topic, publisher=Crashing())
    report = await replay_dead_letters(kafka.bootstrap, topic, publisher=publisher)

    assert plain(report) == (1, 0, 0, 0)
    assert len(await contents(kafka, topic)) == 2


async def test_a_topic_that_is_not_there_is_an_error_for_people(kafka: Broker) -> None:
    with pytest.raises(OperatorError, match="There is no topic no-such-topic-dlt"):
        await list_dead_letters(kafka.bootstrap, "no-such-topic", limit=1)


def test_our_headers_are_named_in_one_place() -> None:
    assert all(name.startswith(("__connect.errors.", "basketstream.error.")) for name in OUR_HEADERS)
