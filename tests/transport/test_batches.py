"""The batch an agent holds, without any Kafka."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from stream.transport import RecordBatch


def records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def test_a_batch_knows_its_first_and_last_offset_across_gaps() -> None:
    batch = RecordBatch("orders", 3, records(4, 5, 9), generation=2)

    assert (batch.first_offset, batch.last_offset, len(batch), batch.generation) == (4, 9, 3, 2)
    assert repr(batch) == "<RecordBatch orders[3] 4..9>"


def test_finish_is_told_once() -> None:
    told: list[str] = []
    batch = RecordBatch("orders", 0, records(1), 1, on_finish=lambda: told.append("finished"))

    assert not batch.finished
    batch.finish()
    batch.finish()

    assert batch.finished
    assert told == ["finished"]


def test_a_batch_of_nobody_can_be_finished() -> None:
    batch = RecordBatch("orders", 0, records(1), 1)

    batch.finish()

    assert batch.finished
