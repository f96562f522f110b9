"""Verify: read the logs of orders, returns and erasures, count them anew, and compare with the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import ConsumerRecord
from rich.console import Console

from stream.channels import ERASURES, FEEDBACK, ORDERS, RETURNS, Channel
from stream.dead_letters import OFFSET, PARTITION
from stream.errors import PoisonEvent
from stream.events import Event
from stream.intake import receive
from stream.settings import Settings
from stream.topics import dead_letter_topic
from stream.verification.compare import Comparison, Row, compare
from stream.verification.log_reader import read_log
from stream.verification.recount import LoggedOrder, LoggedReturn, Recount
from stream.verification.rules import Rules

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, and how the tables compare; `first` are the first differences in words."""

    equal: bool
    orders: int
    duplicates: int
    late: int
    returns: int
    repeated_returns: int
    erasures: int
    feedback: int
    repeated_feedback: int
    dead_letters: int
    agreeing: dict[str, int]
    differing: int
    first: list[str]

    def print(self) -> None:
        """For people, on stdout."""
        console = Console(soft_wrap=True, highlight=False)
        console.print(
            f"{self.orders:,} orders in the log ({self.duplicates:,} duplicates, {self.late:,} late), "
            f"{self.returns:,} returns ({self.repeated_returns:,} sent again), {self.erasures:,} erasures, "
            f"{self.feedback:,} feedback ({self.repeated_feedback:,} sent again), {self.dead_letters:,} dead letters"
        )
        for table, rows in self.agreeing.items():
            console.print(f"{rows:>12,} rows of {table} agree")
        console.print(f"{self.differing:>12,} rows differ")
        for difference in self.first:
            console.print(f"  {difference}", markup=False)


class Log:
    """The orders, returns and erasures of a log, counted; read once, compared as often as needed."""

    def __init__(self, recount: Recount) -> None:
        self.recount = recount
        self.orders = self.returns = self.erasures = self.feedback = self.dead_letters = 0

    async def compare(self, rows: AsyncIterator[Row]) -> Report:
        """The tables' rows, in canonical order, beside the recount's."""
        found: Comparison = await compare(self.recount.rows(), rows)
        return Report(
            equal=found.equal,
            orders=self.orders,
            duplicates=self.recount.duplicates,
            late=self.recount.late,
            returns=self.returns,
            repeated_returns=self.recount.repeated,
            erasures=self.erasures,
            feedback=self.feedback,
            repeated_feedback=self.recount.feedback.repeated,
            dead_letters=self.dead_letters,
            agreeing=dict(sorted(found.agreeing.items())),
            differing=found.differing,
            first=[str(difference) for difference in found.first],
        )


async def read_orders_and_returns(settings: Settings) -> Log:
    """Read and count the logs; what lies on their dead-letter topics was not applied and does not count.

    Raises OperatorError when a topic is missing, StateUnavailable when the broker stops answering.
    """
    log = Log(Recount(Rules.of(settings)))
    async for record, order in _applied(settings, ORDERS, log):
        log.orders += 1
        log.recount.place(LoggedOrder(record.partition, record.offset, order))
    async for record, returned in _applied(settings, RETURNS, log):
        log.returns += 1
        log.recount.take_back(LoggedReturn(record.partition, record.offset, returned))
    async for _, erased in _applied(settings, ERASURES, log):
        log.erasures += 1
        log.recount.erase(erased)
    async for record, told in _applied(settings, FEEDBACK, log):
        log.feedback += 1
        log.recount.feedback.add(record.partition, record.offset, told)
    return log


async def verify_tables(settings: Settings, rows: AsyncIterator[Row]) -> Report:
    """Compare the tables' rows (canonical order, at rest) with a recount of the log."""
    return await (await read_orders_and_returns(settings)).compare(rows)


async def _applied(
    settings: Settings, channel: Channel[E], log: Log
) -> AsyncIterator[tuple[ConsumerRecord[bytes, bytes], E]]:
    """The records of a topic that are events and no dead letters; the others are counted."""
    topic = settings.topic_prefix + channel.topic
    buried = await _buried(settings.broker, topic)
    async for record in read_log(settings.broker, topic):
        try:
            event = receive(channel, record).event
        except PoisonEvent:
            log.dead_letters += 1
            continue
        if (record.partition, record.offset) in buried:
            log.dead_letters += 1
        else:
            yield record, event


async def _buried(bootstrap: str, topic: str) -> set[tuple[int, int]]:
    """Partition and offset of the records of a topic that became dead letters."""
    positions = set()
    async for letter in read_log(bootstrap, dead_letter_topic(topic)):
        headers: dict[str, Any] = dict(letter.headers)
        if PARTITION in headers and OFFSET in headers:
            positions.add((int(headers[PARTITION]), int(headers[OFFSET])))
    return positions
