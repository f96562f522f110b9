"""The rolling tallies of the scorers, one a worker: what `basketstream scorers` adds up."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from stream.decisions.selection import Tally, empty_tally, merged
from stream.tables.keys import Keys
from stream.tables.store import Store

FORGOTTEN_AFTER_MS = 86_400_000
"""A worker that has told nothing for so long has ended, and its tally with it."""


class _Told(Struct, array_like=True):
    """A worker's tally: names of the scorers, when it was told, and sums as in `selection.Tally`."""

    names: list[str]
    at_ms: int
    orders: int
    hits: list[int]
    half_hits: list[int]
    reciprocals: list[int]
    beats: list[list[int]]


class Tallied(NamedTuple):
    """The sum of the workers' tallies, and how many workers there are."""

    tally: Tally
    workers: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Told).decode


class ScorerTallies:
    """One entry a worker; an entry replaces the worker's last one."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._key = store, keys.scorers()

    async def put(self, worker: str, names: list[str], tally: Tally, now_ms: int) -> None:
        """Tell what this worker has measured."""
        told = _Told(
            names,
            now_ms,
            tally.orders,
            tally.hits.tolist(),
            tally.half_hits.tolist(),
            tally.reciprocals.tolist(),
            tally.beats.tolist(),
        )
        await self._store.commands([("HSET", self._key, worker, _encode(told))])

    async def read(self, names: list[str], now_ms: int) -> Tallied:
        """What all workers have measured of these scorers. Workers of another grid do not count."""
        [raw] = await self._store.commands([("HGETALL", self._key)])
        told = [
            each
            for each in map(_decode, raw[1::2])
            if each.names == names and now_ms - each.at_ms < FORGOTTEN_AFTER_MS
        ]
        return Tallied(merged(map(_tally, told), empty_tally(len(names))), len(told))


def _tally(told: _Told) -> Tally:
    return Tally(
        told.orders,
        np.array(told.hits, np.int64),
        np.array(told.half_hits, np.int64),
        np.array(told.reciprocals, np.int64),
        np.array(told.beats, np.int64),
    )
