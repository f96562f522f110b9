"""Answers that would come too late: a till has moved on, and what it is told then only disturbs (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.events import BasketUpdated
from stream.intake import Received


class Late(NamedTuple):
    """A basket that is not answered: it waited `waited_ms` and allowed `allowed_ms`."""

    received: Received[BasketUpdated]
    waited_ms: int
    allowed_ms: int


class Due(NamedTuple):
    """Baskets that an answer still reaches in time, in log order, and those it does not."""

    in_time: list[Received[BasketUpdated]]
    late: list[Late]


def due(received: Sequence[Received[BasketUpdated]], now_ms: int) -> Due:
    """Part baskets by their `answer_within_ms`, counted from the record's Kafka time; without one any time is fine.

    Kafka's time is that of the producer or of the broker, as the topic is set up; `now_ms` is the worker's.
    """
    in_time, late = [], []
    for one in received:
        limits = one.event.limits
        allowed_ms = None if limits is None else limits.answer_within_ms
        waited_ms = now_ms - one.record.timestamp
        if allowed_ms is None or waited_ms <= allowed_ms:
            in_time.append(one)
        else:
            late.append(Late(one, waited_ms, allowed_ms))
    return Due(in_time, late)
