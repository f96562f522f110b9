"""What becomes of a batch, by what its handler raises."""

from __future__ import annotations

from collections.abc import Sequence
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

    async def crash(self, reason: BaseException) -> None:
        self.crashed = reason
        self.should_stop = True


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "FIRST_PAUSE_S", 0.0)


def batch() -> RecordBatch:
    record: Any = SimpleNamespace(offset=3)
    return RecordBatch("order-placed", 0, [record], generation=1)


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


@pytest.mark.parametrize("problem", [StateLost("back"), ValueError("bug")])
async def test_anything_else_stops_the_worker_and_leaves_the_batch_unfinished(problem: Exception) -> None:
    made, app = batch(), FakeApp()

    await attend(app, made, [problem])

    assert not made.finished
    assert app.crashed is problem


async def test_a_batch_of_an_older_generation_is_not_touched() -> None:
    made, app = batch(), FakeApp()
    app.consumer_generation_id = 2

    assert await attend(app, made, []) == 0
    assert not made.finished
