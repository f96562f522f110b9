"""Where a log ends is known to the last record, on every broker."""

from __future__ import annotations

from stream.embedded import embedded_broker
from stream.publisher import Outgoing, Publisher
from stream.topics import TopicSpec, make_topics
from stream.verification.log_reader import end_offsets, read_log


async def test_a_log_on_the_embedded_broker_is_read_to_the_last_record_of_its_last_batch() -> None:
    async with embedded_broker() as broker:
        await make_topics(broker.bootstrap, [TopicSpec("numbers", 2, {}), TopicSpec("nothing", 1, {})])
        publisher = Publisher(broker.bootstrap, idempotent=False)
        for batch in (range(5), range(5, 12)):
            await publisher.publish("numbers", [Outgoing(b"one key", b"%d" % number) for number in batch])
        await publisher.stop()

        ends = await end_offsets(broker.bootstrap, "numbers")
        nothing = [record async for record in read_log(broker.bootstrap, "nothing")]
        values = [record.value async for record in read_log(broker.bootstrap, "numbers")]

    assert nothing == []
    assert sorted(ends.values()) == [0, 12]
    assert values == [b"%d" % number for number in range(12)]
