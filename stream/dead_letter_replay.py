"""Sending dead letters round again, after what was wrong has been put right.

What was replayed is remembered where the letters are: after each share of letters a marker goes to the
same partition of the dead-letter topic, so it lives at least as long as they do. (The positions of a consumer
group are forgotten after a week, and cannot say "all but these".) Two replays of one topic at the same time
may send a letter twice, and so may a crash between a share and its markers: at least once, as everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from stream import dead_letters as header
from stream.dead_letter_log import markers, open_dead_letters, texts_of
from stream.dead_letters import Publishes
from stream.publisher import Outgoing
from stream.topics import MAX_MESSAGE_BYTES, dead_letter_topic

#: A share is sent and marked together: at most so many letters, at most so many bytes of values.
SHARE_LETTERS = 200
SHARE_BYTES = 8 * 1024 * 1024

_ROOM_FOR_HEADERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did, or with `dry_run` would have done; `replayed` counts letters by code."""

    dry_run: bool
    replayed: Mapping[str, int]
    before: int
    """Letters that an earlier replay sent."""
    unasked: int
    """Letters of codes that were not asked for."""
    too_large: int
    """Letters that the topic they came from does not take: it came compressed, or it was cut."""


async def replay_dead_letters(
    bootstrap: str,
    topic: str,
    *,
    publisher: Publishes,
    dry_run: bool = False,
    codes: Collection[str] | None = None,
) -> ReplayReport:
    """Send the dead letters of `topic` to it again, each once however often this is called.

    Key, value and headers are the original ones. `codes` picks letters by their code, None takes all. Raises
    OperatorError without such a topic and StateUnavailable when Kafka does not confirm; both leave what was
    not sent for the next call.
    """
    replayed: Counter[str] = Counter()
    before = unasked = too_large = 0
    share: list[ConsumerRecord] = []
    log = await open_dead_letters(bootstrap, topic)
    async with aclosing(log.letters()) as letters:
        async for record in letters:
            texts = texts_of(record)
            code = texts.get(header.CODE, "")
            if log.is_replayed(record):
                before += 1
            elif codes is not None and code not in codes:
                unasked += 1
            elif header.CUT in texts or _bytes(record) + _ROOM_FOR_HEADERS > MAX_MESSAGE_BYTES:
                too_large += 1
            else:
                replayed[code] += 1
                share.append(record)
            if _is_full(share):
                await _send(publisher, topic, share, log.partitions, dry_run)
                share = []
    await _send(publisher, topic, share, log.partitions, dry_run)
    return ReplayReport(dry_run, dict(sorted(replayed.items())), before, unasked, too_large)


async def _send(
    publisher: Publishes, topic: str, share: Sequence[ConsumerRecord], partitions: int, dry_run: bool
) -> None:
    """One share to the original topic, then its markers."""
    if share and not dry_run:
        await publisher.publish(topic, [_original(record) for record in share])
        await publisher.publish(dead_letter_topic(topic), markers(share, partitions))


def _original(record: ConsumerRecord) -> Outgoing:
    headers = [(name, text) for name, text in record.headers if name not in header.OUR_HEADERS]
    return Outgoing(record.key, record.value, headers)


def _is_full(share: Sequence[ConsumerRecord]) -> bool:
    return len(share) >= SHARE_LETTERS or sum(map(_bytes, share)) >= SHARE_BYTES


def _bytes(record: ConsumerRecord) -> int:
    return len(record.key or b"") + len(record.value or b"")
