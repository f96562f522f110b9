"""What is watched while a round runs: commits, fences, silence of partitions, memory and descriptors."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import StateUnavailable
from stream.tables.tables import Tables
from tests.faults.group import Group
from tests.faults.worker_process import WorkerProcess

EVERY_S = 0.5
TAKEN_AGAIN = re.compile(r"stream\.app: .*The partitions are taken again")
"""What a worker says when Redis went back: what it had not committed it may answer again."""


@dataclass
class Watch:
    """Samples until cancelled. `violations` are what I4 forbids; the rest are extremes for I5 and I6.

    `fences_may_go_back`: a row that takes Redis' tail away says so; commits may then be ahead of the fences for a
    while.
    """

    group: Group
    tables: Tables
    topics: tuple[str, ...]
    fenced: tuple[str, ...]
    """Full names of the topics whose records change counts."""
    workers: Callable[[], Iterable[WorkerProcess]]
    fences_may_go_back: bool = False
    commits_may_go_back: bool = False
    violations: list[str] = field(default_factory=list)
    most_rss: int = 0
    most_descriptors: int = 0
    longest_silence_s: float = 0.0
    samples: int = 0
    blind: int = 0
    """Samples that Kafka or Redis did not answer."""
    answered_again: int = 0
    """Records that were not committed when a worker took its partitions again; may be answered twice."""
    _taken_again: int = 0
    _lag: int = 0
    _committed: dict[TopicPartition, int] = field(default_factory=dict)
    _moved: dict[TopicPartition, float] = field(default_factory=dict)

    async def run(self) -> None:
        """One sample after another."""
        while True:
            self._weigh()
            try:
                await self.sample()
            except (KafkaError, StateUnavailable, TimeoutError, OSError):
                self.blind += 1
            await asyncio.sleep(EVERY_S)

    async def sample(self) -> None:
        """Commits first, then fences: a fence that is read later can only be further."""
        committed = await self.group.committed()
        ends = await self.group.ends(self.topics)
        fences = await self.lowest_fences()
        self._judge_commits(committed, fences)
        self._judge_silence(committed, ends)
        self._note_taken_again(committed, ends)
        self._committed = committed
        self.samples += 1

    def _judge_commits(self, committed: dict[TopicPartition, int], fences: dict[TopicPartition, int]) -> None:
        for tp, offset in committed.items():
            before = self._committed.get(tp, offset)
            if offset < before and not self.commits_may_go_back:
                self.violations.append(
                    f"I4: the commit of {tp.topic}[{tp.partition}] went from {before} to {offset}"
                )
            fence = fences.get(tp, -1)
            if tp.topic in self.fenced and offset > fence + 1 and not self.fences_may_go_back:
                self.violations.append(
                    f"I4: {tp.topic}[{tp.partition}] is committed at {offset}, its lowest fence is {fence}"
                )

    def _judge_silence(self, committed: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> None:
        """Silence is counted while some worker reads: where none runs, nobody is silent."""
        now, idle = time.monotonic(), not any(worker.works() for worker in self.workers())
        for tp, end in ends.items():
            stood = committed.get(tp, 0)
            if idle or stood >= end or stood != self._committed.get(tp, 0) or tp not in self._moved:
                self._moved[tp] = now
            self.longest_silence_s = max(self.longest_silence_s, now - self._moved[tp])

    def _note_taken_again(
        self, committed: dict[TopicPartition, int], ends: dict[TopicPartition, int]
    ) -> None:
        """Between two samples as much was not committed as at the one of them where it is more."""
        unread = [
            end - max(committed.get(tp, 0), 0) for tp, end in ends.items() if tp.topic not in self.fenced
        ]
        lag = sum(max(0, count) for count in unread)
        taken = sum(len(TAKEN_AGAIN.findall(worker.said())) for worker in self.workers())
        self.answered_again += (taken - self._taken_again) * max(lag, self._lag)
        self._taken_again, self._lag = taken, lag

    def _weigh(self) -> None:
        for worker in self.workers():
            rss, descriptors = worker.resources()
            self.most_rss = max(self.most_rss, rss)
            self.most_descriptors = max(self.most_descriptors, descriptors)

    async def lowest_fences(self) -> dict[TopicPartition, int]:
        """The lowest fence over all tags of each partition that any tag knows; -1 where a tag has none."""
        tags = range(self.tables.layout.tags)
        answers = await self.tables.store.commands(
            [("HGETALL", self.tables.keys.fences(tag)) for tag in tags]
        )
        stands: dict[TopicPartition, list[int]] = {}
        for answer in answers:
            for name, value in zip(answer[::2], answer[1::2], strict=True):
                topic, _, rest = name.decode().partition("/")
                if rest.isdigit():
                    stands.setdefault(TopicPartition(topic, int(rest)), []).append(int(value.split(b":")[0]))
        return {tp: min(found) if len(found) == len(tags) else -1 for tp, found in stands.items()}
