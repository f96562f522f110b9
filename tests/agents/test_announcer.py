"""Announcements are made as soon as they are noted, and again when nobody took them."""

from __future__ import annotations

import asyncio

import pytest

from stream.errors import StateUnavailable
from stream.services import announcer


async def test_what_is_noted_is_delivered_and_what_failed_is_delivered_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "PAUSE_S", 0.0)
    calls: list[list[int]] = []
    delivered: asyncio.Queue[list[int]] = asyncio.Queue()

    async def deliver(tags: list[int]) -> None:
        calls.append(tags)
        if len(calls) == 1:
            made.note([7])
            raise StateUnavailable("not now")
        delivered.put_nowait(tags)

    made = announcer.Announcer(deliver)
    running = asyncio.create_task(made.run())
    made.note([])
    made.note([3, 1])

    async with asyncio.timeout(10):
        taken = [await delivered.get()]
    running.cancel()

    assert calls[0] == [1, 3]
    assert sorted({tag for tags in taken for tag in tags}) == [1, 3, 7]
