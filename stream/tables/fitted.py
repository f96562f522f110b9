"""Fitted rows: for each SKU the weights of its neighbours, packed; which SKUs need a fit; and who may put them.

A reader that sees a SKU's orders outgrow its fit marks it, which costs the counting of orders nothing. Whoever holds
the lease on a tag fits what is marked there; its epoch is in every write, so one that lost the lease puts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.scorers import FITS
from stream.tables.ids import ALL_ORDERS, SKU_BYTES, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Command, Script, Store

FITS_ID = blake2b(repr(sorted(FITS.items())).encode(), digest_size=4).digest()
"""Names the fits a row was made for: a row of other fits is as good as none."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NEIGHBOUR = np.dtype([("id", "S8"), ("together", ">u4"), ("weights", ">f4", (len(FITS),))])
_HEAD = np.dtype([("id", "S8"), ("orders", ">u4")])

LEASE_MS = 10_000
"""How long a lease runs when its owner dies."""


class FittedRow(NamedTuple):
    """The neighbours of a SKU, the orders that held both, and a column of weights a fit; `orders` when fitted."""

    orders: int
    neighbours: list[bytes]
    together: Integers
    weights: Floats


class FittedRows:
    """Reads and writes fitted rows, many SKUs a round trip."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def read(self, idents: Sequence[bytes]) -> list[bytes]:
        """The packed row of each SKU id, b"" where there is none of the present fits: see `unpack`."""
        by_tag = self._by_tag(idents)
        answers = await self._store.commands(
            [
                ("HMGET", self._keys.fits(tag), *(idents[i] for i in mine))
                for tag, mine in sorted(by_tag.items())
            ]
        )
        rows = [b""] * len(idents)
        for (_, mine), answer in zip(sorted(by_tag.items()), answers, strict=True):
            for i, raw in zip(mine, answer, strict=True):
                if raw is not None and raw.startswith(FITS_ID):
                    rows[i] = raw
        return rows

    async def mark(self, idents: Iterable[bytes], now_ms: int) -> None:
        """Note that these SKUs need a fit, since now unless they were noted before."""
        by_tag: dict[int, list[bytes]] = {}
        for ident in sorted(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(ident)
        await self._store.commands(
            [
                ("ZADD", self._keys.stale(tag), "NX", *(part for ident in mine for part in (now_ms, ident)))
                for tag, mine in by_tag.items()
            ]
        )

    async def waiting(self) -> list[int]:
        """How many SKUs of each tag need a fit."""
        tags = range(self._tags)
        return [int(n) for n in await self._store.commands([("ZCARD", self._keys.stale(t)) for t in tags])]

    async def longest_waiting(self, tag: int, most: int) -> dict[bytes, int]:
        """The SKUs of a tag that were marked first, and when."""
        stale = self._keys.stale(tag)
        [idents] = await self._store.commands([("ZRANGEBYSCORE", stale, "-inf", "+inf", "LIMIT", 0, most)])
        if not idents:
            return {}
        [marks] = await self._store.commands([("ZMSCORE", stale, *idents)])
        return {ident: int(mark) for ident, mark in zip(idents, marks, strict=True) if mark is not None}

    async def lease(self, tag: int, owner: str, now_ms: int, ttl_ms: int = LEASE_MS) -> int | None:
        """The epoch of the owner's lease on a tag, taken or extended; None while another owner's runs.

        A time to live of 0 gives the lease back.
        """
        [epoch] = await self._store.scripts(
            [Script("lease", [self._keys.fitter(tag)], [owner, now_ms, ttl_ms])]
        )
        return int(epoch) or None

    async def put(self, tag: int, epoch: int, rows: Mapping[bytes, bytes]) -> bool:
        """Put packed rows of SKUs of one tag, which then wait no more; False when the lease went to another."""
        keys = [self._keys.fitter(tag), self._keys.fits(tag), self._keys.stale(tag)]
        args = [part for ident, row in rows.items() for part in (ident, row)]
        [done] = await self._store.scripts([Script("put_fits", keys, [epoch, *args])])
        return bool(int(done))

    async def together(self, members: Sequence[Sequence[bytes]]) -> list[Integers]:
        """For each neighbourhood the orders that held each two of its SKUs, as a square with a diagonal of 0."""
        commands: list[Command] = [
            ("ZMSCORE", self._keys.partners(tag_of(one, self._tags), one), *group[at:])
            for group in members
            for at, one in enumerate(group[:-1], 1)
        ]
        answers = iter(await self._store.commands(commands))
        squares = []
        for group in members:
            square = np.zeros((len(group), len(group)), np.int64)
            for at in range(1, len(group)):
                # Each pair is counted with both of its SKUs; one of them is asked.
                square[at - 1, at:] = [max(0, int(score or 0)) for score in next(answers)]
            squares.append(square + square.T)
        return squares

    async def count_heads(self, tag: int, most: int) -> None:
        """Find the most ordered SKUs of a tag and keep them for `heads`. Reads every order count of the tag."""
        [counts] = await self._store.commands([("HGETALL", self._keys.order_counts(tag))])
        orders = sorted(
            (
                (-int(n), ident)
                for ident, n in zip(counts[::2], counts[1::2], strict=True)
                if ident != ALL_ORDERS
            )
        )[:most]
        packed = np.array([(ident, -n) for n, ident in orders if n < 0], _HEAD).tobytes()
        await self._store.commands([("HSET", self._keys.fitter(tag), "heads", packed)])

    async def heads(self, most: int) -> list[bytes]:
        """The most ordered SKUs of all tags as last counted: by orders, then by id."""
        packed = await self._store.commands(
            [("HGET", self._keys.fitter(tag), "heads") for tag in range(self._tags)]
        )
        found = []
        for raw in packed:
            orders = np.frombuffer(raw or b"", _HEAD)["orders"].tolist()
            found += [(-n, (raw or b"")[12 * i : 12 * i + SKU_BYTES]) for i, n in enumerate(orders)]
        return [ident for _, ident in sorted(found)[:most]]

    def _by_tag(self, idents: Sequence[bytes]) -> dict[int, list[int]]:
        by_tag: dict[int, list[int]] = {}
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        return by_tag


def pack(
    orders: int,
    neighbours: Sequence[bytes],
    together: Integers,
    weights: Floats,
) -> bytes:
    """A fitted row as it is stored: the fits' name, the orders, then each neighbour."""
    entries = np.empty(len(neighbours), _NEIGHBOUR)
    entries["id"] = np.array(neighbours, "S8") if neighbours else np.zeros(0, "S8")
    entries["together"], entries["weights"] = together, weights.T
    return FITS_ID + orders.to_bytes(4, "big") + entries.tobytes()


def fitted_at(raw: bytes) -> int:
    """The orders a SKU had when this row was fitted; 0 for no row."""
    return int.from_bytes(raw[4:8], "big")


def unpack(raw: bytes) -> FittedRow:
    """The row that `pack` packed."""
    entries = np.frombuffer(raw, _NEIGHBOUR, offset=8)
    size = _NEIGHBOUR.itemsize
    return FittedRow(
        fitted_at(raw),
        [raw[8 + i * size : 16 + i * size] for i in range(len(entries))],
        entries["together"].astype(np.int64),
        entries["weights"].astype(np.float64).T,
    )
