"""Deliveries: messages whose `publish` gave up before the brokers had confirmed them all.

A batch that was handed to an idempotent producer has its place in the partition's sequence: the producer goes on
offering it, and the brokers take it once. Whoever publishes one of its messages again therefore waits for that very
batch; only what is known to have failed, or was never handed over, is sent as something new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

Confirmed = asyncio.Future[Any]
"""Done when the brokers have a batch; fails when it will not be tried any more."""

MOST_KEPT = 50_000
"""Messages remembered; the earliest go first. One that is published again after it went may arrive twice."""


class Named(Protocol):
    """A message."""

    @property
    def name(self) -> str | None:
        """What a repetition of it is called as well, whatever it says by then; None when repetitions are unknown."""


M = TypeVar("M", bound=Named)


class Deliveries:
    """What became of named messages, by topic."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Confirmed] = {}

    def keep(self, topic: str, messages: Sequence[Named], confirmed: Confirmed) -> None:
        """Remember a batch that is on its way, or was confirmed while others were not."""
        if _failed(confirmed):
            return
        confirmed.add_done_callback(_failed)  # looked at, should nobody ask again
        for message in messages:
            if message.name is not None:
                self._kept[topic, message.name] = confirmed
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def split(self, topic: str, messages: Sequence[M]) -> tuple[Sequence[M], list[Confirmed]]:
        """The messages that have to be sent, and what is to be waited for in place of the others."""
        if not self._kept:
            return messages, []
        fresh, on_the_way = [], dict[Confirmed, None]()
        for message in messages:
            held = None if message.name is None else self._kept.get((topic, message.name))
            if held is None or _failed(held):
                fresh.append(message)
            elif not held.done():
                on_the_way[held] = None
        return fresh, list(on_the_way)

    def forget(self, topic: str, messages: Sequence[Named]) -> None:
        """These are all confirmed, and nobody will send them again."""
        if self._kept:
            for message in messages:
                if message.name is not None:
                    self._kept.pop((topic, message.name), None)

    @property
    def any_on_the_way(self) -> bool:
        """Whether some batch is still being offered."""
        return any(not confirmed.done() for confirmed in set(self._kept.values()))


def _failed(confirmed: Confirmed) -> bool:
    return confirmed.done() and (confirmed.cancelled() or confirmed.exception() is not None)
