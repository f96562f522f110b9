"""The rolling tallies of the scorers, by partition of the orders, and which scorer serves.

A tally belongs to a partition of the log, not to a worker: it survives restarts, goes where the partition goes, and
says up to which offset orders were measured, so that a record that is read again is not measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from stream.decisions.selection import KEPT_BLOCKS, Tally, empty_tally, merged
from stream.tables.keys import Keys
from stream.tables.store import Store

SLOTS = KEPT_BLOCKS + 1
"""Blocks kept of a partition, the one that is being filled among them; a new one takes the place of the oldest."""

_SERVING = b"serving"


class Block(Struct, array_like=True, frozen=True):
    """A block of a partition's tally: its number from 0, and sums as in `selection.Tally` over scorers of these names.

    `last_offset` is that of the last order measured; `second` the last second of the log in which any was, and
    `in_second` how many in it.
    """

    names: list[str]
    number: int
    last_offset: int
    second: int
    in_second: int
    orders: int
    hits: list[int]
    half_hits: list[int]
    reciprocals: list[int]
    apart: list[list[int]]

    def tally(self) -> Tally:
        """The sums."""
        return Tally(
            self.orders,
            np.array(self.hits, np.int64),
            np.array(self.half_hits, np.int64),
            np.array(self.reciprocals, np.int64),
            np.array(self.apart, np.int64),
        )


def block_of(
    tally: Tally, names: list[str], *, number: int, last_offset: int, second: int, in_second: int
) -> Block:
    """A block with these sums."""
    return Block(
        names,
        number,
        last_offset,
        second,
        in_second,
        tally.orders,
        tally.hits.tolist(),
        tally.half_hits.tolist(),
        tally.reciprocals.tolist(),
        tally.apart.tolist(),
    )


class Tallied(NamedTuple):
    """The sum of all partitions' tallies, how many partitions there are, and the scorer chosen to serve, if any was."""

    tally: Tally
    partitions: int
    serving: str | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Block).decode


class ScorerTallies:
    """One entry a block; a block replaces what it was before."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._key = store, keys.scorers()

    async def keep(self, source: str, blocks: Sequence[Block]) -> None:
        """Keep blocks of a partition's tally as they are now."""
        await self._store.commands(
            [
                ("HSET", self._key, f"{source}/{block.number % SLOTS}", _encode(block))
                for block in sorted(blocks, key=lambda block: block.number)
            ]
        )

    async def of(self, source: str, names: list[str]) -> list[Block]:
        """The blocks of a partition, the oldest first. Those of another grid do not count."""
        fields = [f"{source}/{slot}" for slot in range(SLOTS)]
        [found] = await self._store.commands([("HMGET", self._key, *fields)])
        return _in_order([_decode(raw) for raw in found if raw is not None], names)

    async def read(self, names: list[str]) -> Tallied:
        """What was measured of these scorers on all partitions."""
        [raw] = await self._store.commands([("HGETALL", self._key)])
        entries = dict(zip(raw[::2], raw[1::2], strict=True))
        chosen = entries.pop(_SERVING, None)
        by_source: dict[bytes, list[Block]] = {}
        for field, entry in entries.items():
            by_source.setdefault(field.rpartition(b"/")[0], []).append(_decode(entry))
        blocks = [_in_order(found, names) for found in by_source.values()]
        tally = merged((block.tally() for some in blocks for block in some), empty_tally(len(names)))
        return Tallied(tally, sum(map(bool, blocks)), None if chosen is None else chosen.decode())

    async def serving(self) -> str | None:
        """The name of the scorer that was chosen to serve; None before any was."""
        [chosen] = await self._store.commands([("HGET", self._key, _SERVING)])
        return None if chosen is None else chosen.decode()

    async def serve(self, name: str) -> None:
        """Let all workers serve by this scorer from their next look on."""
        await self._store.commands([("HSET", self._key, _SERVING, name)])


def _in_order(blocks: Sequence[Block], names: list[str]) -> list[Block]:
    """The newest blocks of these scorers, the oldest of them first."""
    mine = sorted((block for block in blocks if block.names == names), key=lambda block: block.number)
    return [block for block in mine if block.number > mine[-1].number - SLOTS]
