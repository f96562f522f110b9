"""Diaries: what each customer bought, and in which pane, for as long as the customer window needs it.

A diary is one string of entries: a SKU id (8 bytes), a pane (int32) and a weight (int8, big-endian). An order adds an
entry a distinct SKU, an undo adds the same with weight -1; their sum is what counts, so that neither has to read what
is there, and it does not matter which of the two comes first. The sweep puts a diary together anew from what is left.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from stream.tables.ids import SKU_BYTES, customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Store

ENTRY_BYTES: Final = SKU_BYTES + 5
MOST_ENTRIES: Final = 5_000
"""Entries of one customer. Whoever gets more is no person (a till's account) and has no diary from then on."""

FULL: Final = b"-"
"""In the place of a diary that had more entries."""

_ENTRY = struct.Struct(">12sb")
_PANE_AND_WEIGHT = struct.Struct(">ib")
_PANE = struct.Struct(">i")
_MOST_WEIGHT: Final = 127


class Purchases(NamedTuple):
    """What a customer bought: a SKU id and a pane for each order that holds the SKU, in no order."""

    skus: list[bytes]
    panes: list[int]


def entries(counted: bytes, pane: int, weight: int) -> bytes:
    """The entries of an order's SKU ids (8 bytes each), bought in this pane; weight -1 takes them away."""
    end = _PANE_AND_WEIGHT.pack(pane, weight)
    return b"".join([counted[at : at + SKU_BYTES] + end for at in range(0, len(counted), SKU_BYTES)])


def sums(diary: bytes, through: int | None = None) -> dict[bytes, int]:
    """How often each (SKU id and pane, 12 bytes) counts, those of panes up to `through` and zeros left out."""
    found: dict[bytes, int] = {}
    for bought, weight in _ENTRY.iter_unpack(diary):
        if through is None or _PANE.unpack_from(bought, SKU_BYTES)[0] > through:
            found[bought] = found.get(bought, 0) + weight
    return {bought: weight for bought, weight in found.items() if weight}


def compacted(diary: bytes, through: int | None) -> bytes:
    """The shortest diary that says the same of panes after `through`."""
    parts = []
    for bought, weight in sums(diary, through).items():
        while weight:
            step = min(abs(weight), _MOST_WEIGHT) * (1 if weight > 0 else -1)
            parts.append(_ENTRY.pack(bought, step))
            weight -= step
    return b"".join(parts)


def is_full(diary: bytes) -> bool:
    """Whether this stands in the place of a diary that was too long."""
    return len(diary) % ENTRY_BYTES != 0


def purchases(diary: bytes) -> Purchases:
    """What a diary says; nothing for a full one."""
    if is_full(diary):
        return Purchases([], [])
    skus, panes = [], []
    for bought, times in sums(diary).items():
        skus += [bought[:SKU_BYTES]] * times
        panes += [_PANE.unpack_from(bought, SKU_BYTES)[0]] * times
    return Purchases(skus, panes)


class Diaries:
    """Reads diaries, those of many customers in one round trip."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """The diaries of those customers who have one: see `purchases`."""
        by_tag: dict[int, list[tuple[str, bytes]]] = {}
        for name in names:
            ident = customer_id(name)
            by_tag.setdefault(tag_of(ident, self._tags), []).append((name, ident))
        answers = await self._store.commands(
            [("MGET", *(self._keys.diary(tag, ident) for _, ident in mine)) for tag, mine in by_tag.items()]
        )
        return {
            name: raw
            for mine, found in zip(by_tag.values(), answers, strict=True)
            for (name, _), raw in zip(mine, found, strict=True)
            if raw
        }
