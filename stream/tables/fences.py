"""Fences and epochs: who may write for a partition, and how far each tag has come.

A fence is kept per (topic, partition, tag) beside the counts it guards and moves in the same atomic step, so a
store that loses its tail loses both together. An epoch per (topic, partition, tag) refuses the writes of a worker that
lost the partition without noticing.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stream.errors import StateLost, Superseded
from stream.tables.keys import Keys
from stream.tables.store import Script, Store

APPLIED, ALREADY, STRADDLES, SUPERSEDED, LOST = range(5)
NO_PANE = -(1 << 40)
"""The watermark of a partition that has seen no order."""


def source_of(topic: str, partition: int) -> str:
    """How the tables name a partition; a topic's name cannot hold a slash."""
    return f"{topic}/{partition}"


class Walked(NamedTuple):
    """A walk over a pane: its orders, and when the pane was sealed, seconds."""

    orders: int
    sealed_s: float = math.inf


@dataclass(slots=True)
class Owner:
    """A partition this worker owns, with its epochs, and what it knows of each tag's fences."""

    topic: str
    partition: int
    epochs: list[int]
    known: dict[str, list[int]]
    watermark: int
    caught_up_at: int
    """Offset up to which some tag had come when the partition was taken: behind it, we replay."""
    begun: bool
    """Whether some tag has a fence at all. Without one the tables never began with this partition, or lost it all."""
    committed: int = 0
    """What Kafka knew to be read when the partition was taken: no commit moves the fences of a replay up to there."""
    log_end: int = 0
    """Where the log ended when the partition was taken."""
    position: int = -1
    """Last offset handled."""
    marks: deque[tuple[int, int]] = field(default_factory=deque)
    """(last offset, watermark there) of batches handled but not yet committed."""
    panes_checked: bool = False
    """Whether every tag was found to have what it needs of the panes that are over."""
    buried: set[int] = field(default_factory=set)
    """Panes that every tag is through with and whose orders were deleted."""
    folded_s: float = 0.0
    """When the marks of panes were last folded, seconds."""
    walked: dict[int, Walked] = field(default_factory=dict)
    """The last walk over each pane that left the window."""
    settled: dict[tuple[int, int, int, int, bytes], float] = field(default_factory=dict)
    """When this owner settled the undos of orders that no fence guards (`stream.tables.unguarded`), seconds."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a batch of this partition, or a step of its expiry, is applied."""

    @property
    def source(self) -> str:
        """`<topic>/<partition>`."""
        return source_of(self.topic, self.partition)

    @property
    def lowest_fence(self) -> int:
        """Everything up to this offset is in every tag; -1 when nothing is sure."""
        return min(self.known[self.source])

    @property
    def caught_up(self) -> bool:
        """Whether every tag has come as far as any had before we took the partition."""
        return self.position >= self.caught_up_at

    def replays(self, offset: int) -> bool:
        """Whether some tag had come past this record before: the fence there does not hold for what it does anew."""
        return offset <= self.caught_up_at

    def handled(self, last_offset: int) -> None:
        """A batch that ends at this offset is in the tables."""
        self.position = last_offset
        self.marks.append((last_offset, self.watermark))

    def watermark_at(self, offset: int) -> int:
        """The watermark after the last batch handled up to `offset`; forgets the earlier ones."""
        mark = (-1, NO_PANE)
        while self.marks and self.marks[0][0] <= offset:
            mark = self.marks.popleft()
        if mark[0] >= 0:
            self.marks.appendleft(mark)
        return mark[1]

    def known_fence(self, fence: str, tag: int) -> int:
        """The last fence a tag told us, -1 if none."""
        known = self.known.get(fence)
        return -1 if known is None else known[tag]

    def settle(self, fence: str, tag: int, answer: Sequence[Any], last: int) -> int:
        """Take in a script's answer; returns APPLIED, ALREADY or STRADDLES, raises Superseded or StateLost."""
        code, value = int(answer[0]), answer[1]
        if code == SUPERSEDED:
            raise Superseded(f"Another worker owns {self.source} (epoch {value}, ours {self.epochs[tag]}).")
        if code == LOST:
            raise went_back(self, tag, int(value), self.known_fence(fence, tag))
        known = self.known.setdefault(fence, [-1] * len(self.epochs))
        known[tag] = last if code == APPLIED else int(value)
        return code


def went_back(owner: Owner, tag: int, stands: int, acknowledged: int) -> StateLost:
    """The error for a fence, or an epoch, that is behind what Redis had answered."""
    return StateLost(
        f"Redis went back: tag {tag} of {owner.source} is at {stands}, it had acknowledged {acknowledged}."
        " The partitions are taken again, and what was lost is replayed."
    )


class Fences:
    """Reads and moves the fences of all tags."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def take(self, topic: str, partition: int) -> Owner:
        """Become the owner: a new epoch in every tag, and where each tag stands."""
        source = source_of(topic, partition)
        answers = await self._store.commands(
            [
                command
                for tag in range(self._tags)
                for command in (
                    ("HINCRBY", self._keys.fences(tag), f"{source}/e", 1),
                    ("HGET", self._keys.fences(tag), source),
                )
            ]
        )
        stands = [_stand(raw) for raw in answers[1::2]]
        offsets = [offset for offset, _ in stands]
        return Owner(
            topic=topic,
            partition=partition,
            epochs=[int(epoch) for epoch in answers[::2]],
            known={source: offsets},
            watermark=min(stands)[1],
            caught_up_at=max(offsets),
            begun=any(raw is not None for raw in answers[1::2]),
        )

    async def begin(self, owner: Owner, before: int) -> None:
        """Write down, where nothing is, that the tables begin with what lies behind offset `before`."""
        await self._store.commands(
            [
                ("HSETNX", self._keys.fences(tag), owner.source, f"{before}:{NO_PANE}")
                for tag in range(self._tags)
            ]
        )

    async def move(self, owner: Owner, offset: int, watermark: int) -> None:
        """Move every tag up to `offset`, so that the lowest fence is never far behind the commit."""
        source = owner.source
        behind = [tag for tag in range(self._tags) if owner.known[source][tag] < offset]
        answers = await self._store.scripts(
            [
                Script(
                    "move_fence",
                    [self._keys.fences(tag)],
                    [source, owner.epochs[tag], offset, watermark, owner.known[source][tag]],
                )
                for tag in behind
            ]
        )
        for tag, answer in zip(behind, answers, strict=True):
            owner.settle(source, tag, answer, offset)

    async def check(self, owners: Sequence[Owner]) -> None:
        """Raise StateLost when a fence or an epoch is behind what these owners know it to be."""
        known = [(owner, list(owner.known[owner.source])) for owner in owners]
        fields = [name for owner in owners for name in (owner.source, f"{owner.source}/e")]
        if not fields:
            return
        answers = await self._store.commands(
            [("HMGET", self._keys.fences(tag), *fields) for tag in range(self._tags)]
        )
        for tag, held in enumerate(answers):
            for at, (owner, fences) in enumerate(known):
                offset, epoch = _stand(held[2 * at])[0], int(held[2 * at + 1] or 0)
                if epoch < owner.epochs[tag] or (epoch == owner.epochs[tag] and offset < fences[tag]):
                    raise went_back(owner, tag, offset, fences[tag])

    async def watermark(self, topic: str) -> int:
        """The highest watermark pane of all partitions of a topic, as of their last commit."""
        raw = (await self._store.commands([("HGETALL", self._keys.fences(0))]))[0]
        panes = [
            _stand(value)[1]
            for name, value in zip(raw[::2], raw[1::2], strict=True)
            if name.startswith(f"{topic}/".encode()) and name.count(b"/") == 1
        ]
        return max(panes, default=NO_PANE)


def expiry_fence(owner: Owner, pane: int) -> str:
    """The fence of the walk that takes a pane's orders away again."""
    return f"{owner.source}/x{pane}"


def _stand(raw: bytes | None) -> tuple[int, int]:
    """(offset, watermark pane) of a stored fence."""
    if raw is None:
        return -1, NO_PANE
    offset, watermark = raw.split(b":")
    return int(offset), int(watermark)
