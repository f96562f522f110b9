"""Payloads of the scripts: length-prefixed, big-endian, so that Lua slices bytes and parses nothing.

(Redis's own msgpack reader knows no byte strings.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_CLAIM = struct.Struct(">16s8siiHI")
_ACCOUNT = struct.Struct(">16sHHI")
_ENTRY = struct.Struct(">BBB")
_PUT = struct.Struct(">HI")
_HEARD = struct.Struct(">Q8sH")
POSITION_BYTES = 12


class Claim(NamedTuple):
    """An order to claim. A claim made for a pane before `live_from` is void; `pane_number` counts from 1."""

    order: bytes
    offset: bytes
    pane: int
    live_from: int
    pane_number: int
    record: bytes


class Account(NamedTuple):
    """A customer's changes: (pane, 'o' for orders or a currency, delta), all as text; and the diary's."""

    ident: bytes
    name: str
    entries: Sequence[tuple[str, str, str]]
    diary: bytes = b""


class Put(NamedTuple):
    """A value for a hash field, with the 12-byte position of the record it comes from."""

    field: bytes
    position: bytes
    value: bytes


class Heard(NamedTuple):
    """A feedback event: its offset, the digest of its id, and which of the call's counts, from 1, it adds to."""

    offset: int
    ident: bytes
    number: int


def position_of(partition: int, offset: int) -> bytes:
    """A record's place as 12 sortable bytes."""
    return partition.to_bytes(4, "big") + offset.to_bytes(8, "big")


def pack_claims(claims: Sequence[Claim]) -> bytes:
    """For `claim`."""
    return b"".join(
        _CLAIM.pack(c.order, c.offset, c.pane, c.live_from, c.pane_number, len(c.record)) + c.record
        for c in claims
    )


def unpack_claims(raw: bytes) -> Iterator[Claim]:
    """What `claim` reads."""
    at = 0
    while at < len(raw):
        order, offset, pane, live_from, number, size = _CLAIM.unpack_from(raw, at)
        at += _CLAIM.size + size
        yield Claim(order, offset, pane, live_from, number, raw[at - size : at])


def pack_accounts(accounts: Sequence[Account]) -> bytes:
    """For `apply`."""
    parts = []
    for ident, name, entries, diary in accounts:
        text = name.encode()
        parts += [_ACCOUNT.pack(ident, len(text), len(entries), len(diary)), text, diary]
        for entry in entries:
            pane, what, delta = (word.encode() for word in entry)
            parts += [_ENTRY.pack(len(pane), len(what), len(delta)), pane, what, delta]
    return b"".join(parts)


def unpack_accounts(raw: bytes) -> Iterator[Account]:
    """What `apply` reads."""
    at = 0
    while at < len(raw):
        ident, length, count, size = _ACCOUNT.unpack_from(raw, at)
        at += _ACCOUNT.size + length
        name, diary, entries = raw[at - length : at].decode(), raw[at : at + size], []
        at += size
        for _ in range(count):
            words = []
            lengths = _ENTRY.unpack_from(raw, at)
            at += _ENTRY.size
            for size in lengths:
                words.append(raw[at : at + size].decode())
                at += size
            entries.append((words[0], words[1], words[2]))
        yield Account(ident, name, entries, diary)


def pack_puts(puts: Sequence[Put]) -> bytes:
    """For `put_latest`."""
    return b"".join(_PUT.pack(len(p.field), len(p.value)) + p.field + p.position + p.value for p in puts)


def unpack_puts(raw: bytes) -> Iterator[Put]:
    """What `put_latest` reads."""
    at = 0
    while at < len(raw):
        field, value = _PUT.unpack_from(raw, at)
        at += _PUT.size
        yield Put(
            raw[at : at + field],
            raw[at + field : at + field + POSITION_BYTES],
            raw[at + field + POSITION_BYTES : at + field + POSITION_BYTES + value],
        )
        at += field + POSITION_BYTES + value


def pack_heard(events: Iterable[Heard]) -> bytes:
    """For `count_feedback`."""
    return b"".join(_HEARD.pack(*event) for event in events)


def unpack_heard(raw: bytes) -> Iterator[Heard]:
    """What `count_feedback` reads."""
    return map(Heard._make, _HEARD.iter_unpack(raw))
