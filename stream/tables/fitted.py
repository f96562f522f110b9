"""Fitted rows: for each SKU the weights of its neighbours; which SKUs need a fit; and who may put them.

A reader that sees a SKU's orders outgrow its fit marks it, which costs the counting of orders nothing. Whoever holds
the lease on a tag fits what is marked there; its epoch is in every write, so one that lost the lease puts nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple, TypeVar

import numpy as np

from stream.tables.co_occurrence import ask, squares
from stream.tables.fitted_row import FITS_ID, Integers
from stream.tables.ids import ALL_ORDERS, SKU_BYTES, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Command, Script, Store

_HEAD = np.dtype([("id", "S8"), ("orders", ">u4")])

T = TypeVar("T")

COUNTS_AT_ONCE = 20_000
"""Order counts that are read in one go: some ten milliseconds of the loop."""

LEASE_MS = 10_000
"""How long a lease runs when its owner dies."""


class Waiting(NamedTuple):
    """How many SKUs of a tag need a fit; when the first of them were marked, and which, by that time."""

    total: int
    oldest: list[tuple[int, bytes]]


class HeadsCounted(NamedTuple):
    """Orders in the window when the most ordered SKUs were counted, and fits that were made since then."""

    orders: int
    fits_since: int


class FittedRows:
    """Reads and writes fitted rows, many SKUs a round trip."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def read(self, idents: Sequence[bytes]) -> list[bytes]:
        """The packed row of each SKU id, b"" where there is none of the present fits: see `fitted_row`."""
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

    async def waiting(self, most: int) -> list[Waiting]:
        """What waits on each tag, and of it the SKUs that were marked first, at most so many."""
        stale = [self._keys.stale(tag) for tag in range(self._tags)]
        both = ((("ZCARD", key), ("ZRANGE", key, 0, most - 1, "WITHSCORES")) for key in stale)
        answers = await self._store.commands([command for of_tag in both for command in of_tag])
        return [
            Waiting(int(total), list(zip(map(int, found[1::2]), found[::2], strict=True)))
            for total, found in _in_twos(answers)
        ]

    async def lease(
        self, tags: Sequence[int], owner: str, now_ms: int, ttl_ms: int = LEASE_MS
    ) -> dict[int, int]:
        """The epochs of the owner's leases on these tags, taken or extended; not those another owner's lease is on."""
        epochs = await self._store.scripts(
            [Script("lease", [self._keys.fitter(tag)], [owner, now_ms, ttl_ms]) for tag in tags]
        )
        return {tag: int(epoch) for tag, epoch in zip(tags, epochs, strict=True) if int(epoch)}

    async def put(self, epochs: Mapping[int, int], rows: Mapping[bytes, bytes]) -> int:
        """Put packed rows of SKUs of these tags, which then wait no more; b"" takes a row away. The leases end.

        Answers how many were put: nothing is where the lease went to another.
        """
        by_tag = self._by_tag(idents := list(rows))
        calls = [
            Script(
                "put_fits",
                [self._keys.fitter(tag), self._keys.fits(tag), self._keys.stale(tag)],
                [epochs[tag], *(part for i in mine for part in (idents[i], rows[idents[i]]))],
            )
            for tag, mine in by_tag.items()
        ]
        done = await self._store.scripts(calls)
        return sum(len(mine) for mine, put in zip(by_tag.values(), done, strict=True) if int(put))

    async def together(
        self, members: Sequence[Sequence[bytes]], orders: Mapping[bytes, int]
    ) -> list[Integers]:
        """For each neighbourhood the orders that held each two of its SKUs, as a square with a diagonal of 0."""
        # Beside the worker's other work, as are the squares: a step asks for tens of thousands of pairs.
        asked = await asyncio.to_thread(ask, members, orders)
        answers = await self._store.commands(
            [
                ("ZMSCORE", self._keys.partners(tag_of(one, self._tags), one), *others)
                for one, others in asked.of
            ]
        )
        return await asyncio.to_thread(squares, members, asked.places, answers)

    async def count_heads(self, most: int) -> None:
        """Find the most ordered SKUs of each tag and keep them for `heads`; forget the fits of SKUs nobody orders.

        Reads every order count, about `COUNTS_AT_ONCE` a round trip.
        """
        tags = range(self._tags)
        sizes = await self._store.commands([("HLEN", self._keys.order_counts(tag)) for tag in tags])
        for some in _together(tags, sizes):
            asked = (
                command
                for tag in some
                for command in (("HGETALL", self._keys.order_counts(tag)), ("HKEYS", self._keys.fits(tag)))
            )
            found = _in_twos(await self._store.commands(list(asked)))
            await self._store.commands(
                [
                    command
                    for tag, (counts, fits) in zip(some, found, strict=True)
                    for command in self._heads_of(tag, counts, fits, most)
                ]
            )

    def _heads_of(
        self, tag: int, counts: Sequence[bytes], fits: Iterable[bytes], most: int
    ) -> Iterator[Command]:
        ordered = {
            ident: int(n)
            for ident, n in zip(counts[::2], counts[1::2], strict=True)
            if ident != ALL_ORDERS and int(n) > 0
        }
        orders = nsmallest(most, ((-n, ident) for ident, n in ordered.items()))
        packed = np.array([(ident, -n) for n, ident in orders], _HEAD).tobytes()
        yield ("HSET", self._keys.fitter(tag), "heads", packed)
        if gone := [ident for ident in fits if ident not in ordered]:
            yield ("HDEL", self._keys.fits(tag), *gone)

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

    async def heads_counted(self) -> HeadsCounted:
        """When the heads were counted last: so many orders there were then, so many fits were made since."""
        [raw] = await self._store.commands([("HMGET", self._keys.fitter(0), "heads_at", "fits_since")])
        return HeadsCounted(*(int(value or 0) for value in raw))

    async def note_heads(self, counted: HeadsCounted) -> None:
        """Keep that for `heads_counted`. Of two workers that do at once one may be forgotten, which does no harm."""
        await self._store.commands(
            [("HSET", self._keys.fitter(0), "heads_at", counted.orders, "fits_since", counted.fits_since)]
        )

    def _by_tag(self, idents: Sequence[bytes]) -> dict[int, list[int]]:
        by_tag: dict[int, list[int]] = {}
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        return by_tag


def _together(tags: Iterable[int], sizes: Iterable[int]) -> Iterator[list[int]]:
    """The tags in groups of about `COUNTS_AT_ONCE`, or of one that is larger."""
    some: list[int] = []
    held = 0
    for tag, size in zip(tags, sizes, strict=True):
        if some and held + size > COUNTS_AT_ONCE:
            yield some
            some, held = [], 0
        some.append(tag)
        held += size
    yield some


def _in_twos(answers: Sequence[T]) -> Iterator[tuple[T, T]]:
    """The answers to two commands a tag, tag after tag."""
    return zip(answers[::2], answers[1::2], strict=True)
