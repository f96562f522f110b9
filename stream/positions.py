"""Where to read from, and what may be committed: Redis decides, Kafka's committed offset is a hint.

Implements the transport's `Positions` for the topics the tables are made of (`fenced`). For the other topics, which
leave nothing in Redis, Kafka's committed offset stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from faust.types import TP

from stream.errors import OperatorError, StateLost, StateUnavailable, Superseded
from stream.gaps import Gaps
from stream.ops.tally import Tally
from stream.tables.fences import Owner
from stream.tables.tables import Tables

logger = logging.getLogger(__name__)

Offsets = Callable[[Set[TP]], Awaitable[Mapping[TP, int]]]

PAUSE_S = 0.25
"""Between two tries to take partitions."""
PATIENCE_S = 15.0
"""How long it is tried: well below the time in which a rebalance has to end."""
AT_ONCE = 8
"""Partitions taken at the same time: each takes a connection to Redis, of which there are no more than 16."""


@dataclass(frozen=True, slots=True)
class Source:
    """How a topic makes tables."""

    every_record: bool = True
    """A record that the log no longer holds makes the tables wrong; else the last one of a key says all."""


_RESTORE = (
    "Restore Redis from its append-only file, or start again from the log with `basketstream tables rebuild`."
)


class TablePositions:
    """The partitions this worker owns. `earliest` and `ends` ask the broker for the bounds of partitions;
    `served_ends`, slower, finds out by reading."""

    def __init__(
        self,
        tables: Tables,
        fenced: Mapping[str, Source],
        earliest: Offsets,
        ends: Offsets,
        served_ends: Offsets,
        gaps: Gaps,
        tally: Tally,
    ) -> None:
        self._tables = tables
        self._gaps, self._tally = gaps, tally
        self._fenced = fenced
        self._earliest, self._ends, self._served_ends = earliest, ends, served_ends
        self._owners: dict[TP, Owner] = {}
        self._assignment = 0
        self.taken_s = time.monotonic()
        """When the partitions were taken."""

    def owner(self, topic: str, partition: int, assignment: int) -> Owner:
        """The owner of a partition of a fenced topic, for batches of that assignment; raises Superseded for others.

        A batch of an earlier assignment lies behind records that are to be read again first.
        """
        owner = self._owners.get(TP(topic, partition))
        if owner is None or assignment != self._assignment:
            raise Superseded(f"{topic}[{partition}] was taken from this worker")
        return owner

    def owners(self, topic: str) -> list[Owner]:
        """The owned partitions of a topic, in order."""
        return [owner for tp, owner in sorted(self._owners.items()) if tp.topic == topic]

    def caught_up(self, topic: str) -> bool:
        """Whether all that was in the owned partitions of a topic when they were taken has been handled."""
        return all(owner.position >= owner.log_end - 1 for owner in self.owners(topic))

    async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> dict[TP, int]:
        """Take a new epoch for each fenced partition and start where the tables need it.

        Waits for Redis a while. Raises StateUnavailable after that, and OperatorError when the log and the tables
        cannot belong together.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            self._owners.clear()
            self._tables.begin_again()
            try:
                await self._check_tables()
                starts = await self._take(committed)
            except (StateUnavailable, StateLost) as exc:
                if time.monotonic() > give_up_at:
                    raise StateUnavailable(f"the partitions cannot be taken: {exc}") from exc
                await asyncio.sleep(PAUSE_S)
            else:
                self._tables.servers.settle()
                self._assignment, self.taken_s = assignment, time.monotonic()
                return starts

    async def _check_tables(self) -> None:
        try:
            await self._tables.check()
        except StateLost as exc:
            raise OperatorError(str(exc), _RESTORE) from exc

    async def _take(self, committed: Mapping[TP, int | None]) -> dict[TP, int]:
        fenced = {tp for tp in committed if tp.topic in self._fenced}
        if not fenced:
            return {}
        earliest, ends = await self._earliest(fenced), await self._ends(fenced)
        fences, owners = self._tables.fences, dict[TP, Owner]()
        for some in _shares(sorted(fenced)):
            taken = await asyncio.gather(*(fences.take(tp.topic, tp.partition) for tp in some))
            owners.update(zip(some, taken, strict=True))
        # The embedded broker names too early an end when it is asked for one; what it serves tells the truth.
        doubtful = {tp for tp, owner in owners.items() if owner.caught_up_at >= ends[tp]}
        if doubtful:
            ends = {**ends, **await self._served_ends(doubtful)}
        starts = {}
        for tp, owner in owners.items():
            start = self._start(tp, owner, committed[tp], earliest[tp], ends[tp])
            owner.position, owner.committed, owner.log_end = start - 1, committed[tp] or 0, ends[tp]
            self._owners[tp] = owner
            starts[tp] = start
        fresh = [tp for tp, owner in owners.items() if not owner.begun]
        for some in _shares(fresh):
            await asyncio.gather(*(fences.begin(owners[tp], starts[tp] - 1) for tp in some))
        return starts

    async def out_of_range(self, tp: TP, position: int) -> int:
        """Where to go on when the log does not hold `position`, which was to be read next.

        Raises OperatorError or StateLost where every record counts: what becomes of it is decided at the start.
        """
        begins = (await self._earliest({tp}))[tp]
        source = self._fenced.get(tp.topic)
        if source is None or not source.every_record:
            if position < begins:
                self._gaps.left_behind(tp, position, begins)
            else:
                logger.error(
                    "%s[%d] was read up to offset %d, but its log is shorter: it was made anew or lost its end. It is"
                    " read from its beginning, %d.",
                    *(tp.topic, tp.partition, position, begins),
                )
            return begins
        if position < begins:
            self._gaps.in_counts(tp, position, begins)
        raise StateLost(
            f"The log of {tp.topic}/{tp.partition} does not hold offset {position}, it begins at {begins}."
            " A restarted worker compares it with the tables."
        )

    async def before_commit(self, offsets: Mapping[TP, int]) -> Mapping[TP, int]:
        """Bring every tag up to what is about to be committed; commits no further than the tables are."""
        allowed = dict(offsets)
        for tp, offset in sorted(offsets.items()):
            if tp.topic not in self._fenced:
                continue
            owner = self._owners.get(tp)
            if owner is None:
                del allowed[tp]
                continue
            try:
                await self._bring_along(owner, offset)
            except (StateUnavailable, StateLost) as exc:
                # Nothing is lost by committing later, and a worker that waits for Redis is better than one that dies.
                logger.warning("%s is committed once Redis answers: %s", owner.source, exc)
                del allowed[tp]
            except Superseded as exc:
                # We stood still and lost the partition; the group will tell us so in a moment.
                logger.warning("%s is not committed: %s", owner.source, exc)
                self._tally.add("commits.superseded")
                del allowed[tp]
        return allowed

    async def _bring_along(self, owner: Owner, offset: int) -> None:
        """Move every tag's fence up to what is about to be committed."""
        async with owner.lock:
            await self._tables.fences.move(owner, offset - 1, owner.watermark_at(offset - 1))

    async def check(self) -> None:
        """Raise StateLost when the tables are not, or no longer hold, what our partitions rely on."""
        await self._tables.check()
        await self._tables.fences.check(list(self._owners.values()))

    async def keep_up(self) -> None:
        """Bring every tag up to what a replay healed: Kafka has heard of it before, so no commit does."""
        for owner in list(self._owners.values()):
            if owner.lowest_fence < owner.committed - 1 <= owner.position:
                async with owner.lock:
                    await self._tables.fences.move(owner, owner.position, owner.watermark)

    async def revoked(self, tps: Set[TP]) -> None:
        """Forget partitions that are no longer ours."""
        for tp in tps:
            self._owners.pop(tp, None)

    def _start(self, tp: TP, owner: Owner, committed: int | None, earliest: int, end: int) -> int:
        """min(committed, lowest fence + 1), or a clear refusal."""
        lowest, source = owner.lowest_fence, owner.source
        if owner.caught_up_at >= end:
            raise OperatorError(
                f"The tables have applied {source} up to offset {owner.caught_up_at}, but the log ends at {end}:"
                " it is not the log they were made from.",
                "Point the worker at the right Kafka, or use another BASKETSTREAM_NAMESPACE and BASKETSTREAM_GROUP.",
            )
        start = lowest + 1 if committed is None else min(committed, lowest + 1)
        if not self._fenced[tp.topic].every_record:
            return max(start, earliest)
        if committed is not None and committed > earliest and not owner.begun:
            raise OperatorError(
                f"The tables are empty, but {source} was read up to offset {committed}: Redis lost its data.",
                _RESTORE,
            )
        if owner.begun and lowest + 1 < earliest:
            self._gaps.in_counts(tp, lowest + 1, earliest)
        elif not owner.begun and committed is not None and committed < earliest:
            self._gaps.left_behind(tp, committed, earliest)
        return max(start, earliest)


def _shares(tps: Sequence[TP]) -> Iterator[Sequence[TP]]:
    """So many as are taken at once, one share after another."""
    for start in range(0, len(tps), AT_ONCE):
        yield tps[start : start + AT_ONCE]
