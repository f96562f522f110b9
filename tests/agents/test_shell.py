"""What becomes of a batch, by what its handler raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from stream.agents import shell
from stream.batches import RecordBatch
from stream.errors import StateLost, StateUnavailable, Superseded
from stream.ops.tally import Tally


class FakeApp:
    """As much of an app as the shell looks at."""

    def __init__(self) -> None:
        self.should_stop = False
        self.consumer_generation_id = 1
        self.crashed: BaseException | None = None
        self.taken_again: list[int] = []

    async def take_again(self, assignment: int, reason: StateLost) -> None:
        self.taken_again.append(assignment)

    async def crash(self, reason: BaseException) -> None:
        self.crashed = reason
        self.should_stop = True


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "FIRST_PAUSE_S", 0.0)


def batch() -> RecordBatch:
    record: Any = SimpleNamespace(offset=3)
    return RecordBatch("order-placed", 0, [record], generation=1, assignment=7)


async def attend(app: FakeApp, made: RecordBatch, raising: Sequence[BaseException | None]) -> int:
    """How often a handler that raises these one after the other was called."""
    calls = iter(raising)
    called = 0

    async def handle(_: RecordBatch) -> None:
        nonlocal called
        called += 1
        problem = next(calls)
        if problem is not None:
            raise problem

    host: Any = app
    await shell.Shell(host, Tally()).attend(made, handle)
    return called


async def test_a_handled_batch_is_finished() -> None:
    made = batch()

    assert await attend(FakeApp(), made, [None]) == 1
    assert made.finished


async def test_what_is_unavailable_is_tried_again_until_it_is_there() -> None:
    made, app = batch(), FakeApp()

    assert await attend(app, made, [StateUnavailable("no"), StateUnavailable("no"), None]) == 3
    assert made.finished
    assert app.crashed is None


async def test_a_superseded_batch_is_left_unfinished() -> None:
    made, app = batch(), FakeApp()

    await attend(app, made, [Superseded("gone")])

    assert not made.finished
    assert app.crashed is None


async def test_a_batch_that_finds_the_state_lost_is_left_and_its_partitions_are_taken_again() -> None:
    made, app = batch(), FakeApp()

    await attend(app, made, [StateLost("back")])

    assert not made.finished
    assert app.taken_again == [7]
    assert app.crashed is None


async def test_anything_else_stops_the_worker_and_leaves_the_batch_unfinished() -> None:
    made, app, problem = batch(), FakeApp(), ValueError("bug")

    await attend(app, made, [problem])

    assert not made.finished
    assert app.crashed is problem


async def test_a_batch_of_an_older_generation_is_not_touched() -> None:
    made, app = batch(), FakeApp()
    app.consumer_generation_id = 2

    assert await attend(app, made, []) == 0
    assert not made.finished


class FakeEvent:
    """A Faust event: a batch, and whether it was let go of."""

    def __init__(self, partition: int, offset: int) -> None:
        record: Any = SimpleNamespace(offset=offset)
        self.value = RecordBatch("order-placed", partition, [record], generation=1)
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class FakeStream:
    """A stream of these events; an endless one waits for more."""

    def __init__(self, events: Sequence[FakeEvent], *, endless: bool) -> None:
        self._events, self._endless = events, endless

    def noack(self) -> FakeStream:
        return self

    async def events(self) -> AsyncIterator[FakeEvent]:
        for event in self._events:
            yield event
        if self._endless:
            await asyncio.Event().wait()


async def test_partitions_are_attended_side_by_side_and_each_in_order() -> None:
    events = [FakeEvent(0, 1), FakeEvent(0, 2), FakeEvent(1, 1), FakeEvent(1, 2)]
    handled: list[tuple[int, int]] = []
    both_begun = asyncio.Barrier(2)

    async def handle(made: RecordBatch) -> None:
        if made.first_offset == 1:
            async with asyncio.timeout(10):
                await both_begun.wait()
        assert not next(e for e in events if e.value is made).acked
        handled.append((made.partition, made.first_offset))

    host: Any = FakeApp()
    stream: Any = FakeStream(events, endless=True)
    running = asyncio.create_task(shell.Shell(host, Tally()).run(stream, handle))
    async with asyncio.timeout(10):
        while not all(event.acked for event in events):
            await asyncio.sleep(0)
    running.cancel()

    assert [offset for partition, offset in handled if partition == 0] == [1, 2]
    assert [offset for partition, offset in handled if partition == 1] == [1, 2]
    assert all(event.value.finished for event in events)


async def test_when_the_stream_ends_nothing_is_waited_for_any_longer() -> None:
    async def never(_: RecordBatch) -> None:
        await asyncio.Event().wait()

    host: Any = FakeApp()
    event = FakeEvent(0, 1)
    stream: Any = FakeStream([event], endless=False)

    async with asyncio.timeout(10):
        await shell.Shell(host, Tally()).run(stream, never)

    assert not event.value.finished
