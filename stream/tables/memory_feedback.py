"""The scripts about feedback in Python, statement for statement, over the mappings of a `MemoryStore`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count, takewhile
from typing import Any

import msgspec

from stream.tables.memory_accounts import Data, Keys, drop, increment
from stream.tables.memory_fences import refuse_owner, refuse_range
from stream.tables.wire import unpack_heard

Args = Sequence[Any]


def _add_counts(
    data: Data, keys: Keys, panes: Sequence[tuple[int, list[Any]]], most: int, before: int
) -> int:
    refused = 0
    for key, (pane, counts) in zip(keys[before:], panes, strict=True):
        if not counts:
            continue
        held = data.setdefault(key, {})
        for field, delta in zip(counts[::2], counts[1::2], strict=True):
            if field.encode() in held or len(held) < most:
                increment(data, key, field.encode(), delta)
            else:
                refused += 1
        increment(data, keys[1], str(pane).encode(), 1)
    return refused


def _first_told(heard: dict[bytes, int], events: bytes, remembered: int) -> tuple[Counter[int], int]:
    """How often each count was told of by events whose ids were not heard before them, and how many ids were."""
    times, repeats = Counter[int](), 0
    for offset, ident, number in unpack_heard(events):
        # Taken out and put in again: the mapping stands in the order of offsets.
        before = heard.pop(ident, None)
        if before is not None and offset - remembered <= before < offset:
            repeats += 1
        else:
            times[number] += 1
        heard[ident] = offset
    return times, repeats


def _forget(heard: dict[bytes, int], through: int) -> None:
    for ident in list(takewhile(lambda ident: heard[ident] <= through, heard)):
        del heard[ident]


def _count_feedback(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, first, last, known, watermark, most, remembered, events, fields = args
    refusal = refuse_owner(data, keys, source, int(epoch))
    refusal = refusal or refuse_range(data, keys[0], source, int(first), int(last), int(known))
    if refusal:
        return refusal
    heard = data.setdefault(keys[2], {})
    times, repeats = _first_told(heard, events, int(remembered))
    _forget(heard, int(last) - int(remembered))
    numbers = count(1)
    panes = []
    for pane, names in msgspec.msgpack.decode(fields):
        told = [(name, times[next(numbers)]) for name in names]
        panes.append((pane, [part for each in told if each[1] for part in each]))
    refused = _add_counts(data, keys, panes, int(most), 3)
    data.setdefault(keys[0], {})[source.encode()] = f"{last}:{watermark}".encode()
    return [0, refused, repeats]


def _add_moves(data: Data, keys: Keys, args: Args) -> int:
    worker, number, now_ms, silent_since, most, panes = args
    movers = data.setdefault(keys[0], {})
    held = movers.get(worker.encode())
    if held is not None and int(held.split(b":")[0]) >= int(number):
        return 0
    for name, told in list(movers.items()):
        if int(told.split(b":")[1]) < int(silent_since):
            del movers[name]
    _add_counts(data, keys, msgspec.msgpack.decode(panes), int(most), 2)
    movers[worker.encode()] = f"{number}:{now_ms}".encode()
    return 1


def _put_dismissed(data: Data, keys: Keys, args: Args) -> int:
    who, as_read, as_to_be, newest, most = args
    table = data.get(keys[0], {})
    if table.get(who, b"") != as_read:
        return 6
    if not as_read and len(table) >= int(most):
        return 7
    data.setdefault(keys[0], {})[who] = as_to_be
    times = data.setdefault(keys[1], {})
    times[who] = max(times.get(who, int(newest)), int(newest))
    return 0


def _let_go_dismissed(data: Data, keys: Keys, args: Args) -> int:
    who, at_ms = args
    newest = data.get(keys[1], {}).get(who)
    if newest is None or newest > int(at_ms):
        return 0
    drop(data, keys[0], who)
    drop(data, keys[1], who)
    return 1


FEEDBACK_SCRIPTS: dict[str, Callable[[Data, Keys, Args], Any]] = {
    "count_feedback": _count_feedback,
    "add_moves": _add_moves,
    "put_dismissed": _put_dismissed,
    "let_go_dismissed": _let_go_dismissed,
}
