"""Cancels the task of a batch at a chosen await point, as a lost connection or a shutdown would.

The batch is then tried again by the product's own loop: to it, a cancelled attempt is one that did not finish.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Generator
from typing import Any

from stream.agents.shell import Handle, Shell
from stream.batches import RecordBatch
from stream.errors import StateUnavailable

CANCELLED = "batch cancelled"


class _CancelsItself:
    """Awaits `work`; at its n-th await point the task that runs it is cancelled there, once."""

    def __init__(self, work: Awaitable[None], at: int) -> None:
        self._work, self._at = work, at

    def __await__(self) -> Generator[Any, None, None]:
        steps = self._work.__await__()
        waited = 0
        error: BaseException | None = None
        while True:
            try:
                point = steps.throw(error) if error is not None else next(steps)
            except StopIteration:
                return
            waited += 1
            if waited == self._at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield point
                error = None
            except BaseException as exc:  # noqa: BLE001  whatever comes in belongs to the work
                error = exc


def cancel_batches(seed: int, share: float, most_points: int) -> None:
    """Cancel a share of all attempts at a batch, at one of its first await points, evenly drawn."""
    dice = random.Random(seed)
    attend = Shell.attend

    async def attend_and_cancel(shell: Shell, batch: RecordBatch, handle: Handle) -> None:
        async def attempt(one: RecordBatch) -> None:
            if dice.random() >= share:
                return await handle(one)
            work = asyncio.ensure_future(_run(handle(one), dice.randint(1, most_points)))
            try:
                await work
            except asyncio.CancelledError:
                if not work.cancelled():
                    raise
                sys.stderr.write(f"{CANCELLED}: {one!r}\n")
                raise StateUnavailable("the attempt was cancelled") from None

        await attend(shell, batch, attempt)

    setattr(Shell, "attend", attend_and_cancel)  # noqa: B010  mypy would not let us


async def _run(work: Awaitable[None], at: int) -> None:
    await _CancelsItself(work, at)
