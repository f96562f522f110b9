"""Fitted rows: for each SKU the weights of its neighbours; which SKUs need a fit; and who may put them.

A reader that sees a SKU's orders outgrow its fit marks it, which costs the counting of orders nothing. Whoever holds
the lease on a tag fits what is marked there; its epoch is in every write, so one that lost the lease puts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stream.tables.fitted_row import FITS_ID, Integers
from stream.tables.ids import ALL_ORDERS, SKU_BYTES, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Command, Script, Store

_HEAD = np.dtype([("id", "S8"), ("orders", ">u4")])

_NO_PAIRS: Integers = np.zeros(0, np.int64)

LEASE_MS = 10_000
"""How long a lease runs when its owner dies."""


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

    async def waiting(self) -> list[int]:
        """How many SKUs of each tag need a fit."""
        tags = range(self._tags)
        return [int(n) for n in await self._store.commands([("ZCARD", self._keys.stale(t)) for t in tags])]

    async def longest_waiting(self, tags: Sequence[int], most: int) -> list[dict[bytes, int]]:
        """For each tag the SKUs that were marked first, at most so many, and when."""
        stale = [self._keys.stale(tag) for tag in tags]
        found = await self._store.commands(
            [("ZRANGEBYSCORE", key, "-inf", "+inf", "LIMIT", 0, most) for key in stale]
        )
        asked = [(key, idents) for key, idents in zip(stale, found, strict=True) if idents]
        marks = iter(await self._store.commands([("ZMSCORE", key, *idents) for key, idents in asked]))
        return [
            {ident: int(mark) for ident, mark in zip(idents, next(marks), strict=True) if mark is not None}
            if idents
            else {}
            for idents in found
        ]

    async def lease(
        self, tags: Sequence[int], owner: str, now_ms: int, ttl_ms: int = LEASE_MS
    ) -> dict[int, int]:
        """The epochs of the owner's leases on these tags, taken or extended; not those another owner's lease is on.

        A time to live of 0 gives leases back.
        """
        epochs = await self._store.scripts(
            [Script("lease", [self._keys.fitter(tag)], [owner, now_ms, ttl_ms]) for tag in tags]
        )
        return {tag: int(epoch) for tag, epoch in zip(tags, epochs, strict=True) if int(epoch)}

    async def put(self, epochs: Mapping[int, int], rows: Mapping[bytes, bytes]) -> int:
        """Put packed rows of SKUs of these tags, which then wait no more; b"" takes a row away.

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
        """For each neighbourhood the orders that held each two of its SKUs, as a square with a diagonal of 0.

        Each pair is asked once, however many neighbourhoods hold it, and of the SKU that more `orders` hold: its
        many partners stand in a hash table, the few of the other in a list that is walked for each.
        """
        idents = sorted(orders, key=lambda ident: (-orders[ident], ident))
        place = {ident: at for at, ident in enumerate(idents)}
        pairs = [_pairs_of(np.array([place[one] for one in group]), len(idents)) for group in members]
        asked, of_pair = np.unique(np.concatenate([_NO_PAIRS, *pairs]), return_inverse=True)
        firsts, others = np.divmod(asked, max(1, len(idents)))
        starts = np.flatnonzero(np.diff(firsts, prepend=-1)).tolist()
        commands: list[Command] = []
        for start, end in pairwise([*starts, len(asked)]):
            one = idents[firsts[start]]
            held = (idents[other] for other in others[start:end].tolist())
            commands.append(("ZMSCORE", self._keys.partners(tag_of(one, self._tags), one), *held))
        answers = await self._store.commands(commands)
        counts = np.array([int(score) if score else 0 for answer in answers for score in answer], np.int64)
        met = np.maximum(counts, 0)[of_pair]
        squares = []
        start = 0
        for group in members:
            square = np.zeros((len(group), len(group)), np.int64)
            upper = np.triu_indices(len(group), 1)
            square[upper] = met[start : start + len(upper[0])]
            squares.append(square + square.T)
            start += len(upper[0])
        return squares

    async def count_heads(self, tag: int, most: int) -> None:
        """Find the most ordered SKUs of a tag and keep them for `heads`; forget the fits of SKUs nobody orders.

        Reads every order count of the tag.
        """
        counts, fits = await self._store.commands(
            [("HGETALL", self._keys.order_counts(tag)), ("HKEYS", self._keys.fits(tag))]
        )
        ordered = {
            ident: int(n)
            for ident, n in zip(counts[::2], counts[1::2], strict=True)
            if ident != ALL_ORDERS and int(n) > 0
        }
        orders = sorted((-n, ident) for ident, n in ordered.items())[:most]
        packed = np.array([(ident, -n) for n, ident in orders], _HEAD).tobytes()
        gone = [ident for ident in fits if ident not in ordered]
        await self._store.commands(
            [
                ("HSET", self._keys.fitter(tag), "heads", packed),
                *([("HDEL", self._keys.fits(tag), *gone)] if gone else []),
            ]
        )

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

    async def add_fits(self, count: int) -> None:
        """Count fits for `heads_counted`. Of two workers that do at once one may be forgotten, which does no harm."""
        if count:
            counted = await self.heads_counted()
            await self.note_heads(counted._replace(fits_since=counted.fits_since + count))

    async def note_heads(self, counted: HeadsCounted) -> None:
        """Keep that for `heads_counted`."""
        await self._store.commands(
            [("HSET", self._keys.fitter(0), "heads_at", counted.orders, "fits_since", counted.fits_since)]
        )

    def _by_tag(self, idents: Sequence[bytes]) -> dict[int, list[int]]:
        by_tag: dict[int, list[int]] = {}
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        return by_tag


def _pairs_of(places: Integers, most: int) -> Integers:
    """A number for each pair of a neighbourhood, row after row: its smaller place comes first."""
    one, other = np.triu_indices(len(places), 1)
    first, second = places[one], places[other]
    return np.minimum(first, second) * most + np.maximum(first, second)
