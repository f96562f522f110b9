"""What baskets and customers dismissed: SKUs that are not offered to them again for a while.

A basket and a customer stand here by their digests alone. Writing again changes nothing, so nothing is fenced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Script, Store

MOST_EACH: Final = 50
"""SKUs remembered of a basket or a customer: the latest."""

MOST_A_TAG: Final = 20_000
"""Baskets and customers of a tag that are remembered; further ones are not."""

KEPT_MS: Final = 90 * 86_400_000
"""No policy may hold a dismissal against a SKU for longer."""

LET_GO_AT_ONCE: Final = 500

_CHANGED = 6

Dismissed = Mapping[str, int]
"""SKU -> when it was dismissed, milliseconds since 1970."""

NOTHING_DISMISSED: Final[Dismissed] = {}

_encode = msgspec.msgpack.Encoder(order="sorted").encode
_decode = msgspec.msgpack.Decoder(dict[str, int]).decode


class Asker(NamedTuple):
    """Who is asked about: a basket, and the customer it belongs to where that is known."""

    basket_id: str | None
    customer_id: str | None

    def idents(self) -> list[bytes]:
        """The digests under which something may stand."""
        found = [] if self.basket_id is None else [_basket(self.basket_id)]
        return found if self.customer_id is None else [*found, customer_id(self.customer_id)]


class Dismissals:
    """Remembers, reads and forgets them."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def used(self) -> frozenset[int]:
        """The tags that ever held something; all others need not be asked."""
        members = (await self._store.commands([("SMEMBERS", self._keys.dismissing())]))[0]
        return frozenset(map(int, members))

    async def remember(self, told: Sequence[tuple[Asker, str, int]]) -> None:
        """Remember (who, SKU, time in ms). Raises StateUnavailable."""
        by_ident: dict[bytes, dict[str, int]] = {}
        for asker, sku, at_ms in told:
            for ident in asker.idents():
                held = by_ident.setdefault(ident, {})
                held[sku] = max(at_ms, held.get(sku, at_ms))
        if by_ident:
            # Before anything stands there, so that nobody finds a tag with dismissals and no sign of them.
            tags = sorted({tag_of(ident, self._tags) for ident in by_ident})
            await self._store.commands([("SADD", self._keys.dismissing(), *tags)])
        for ident, dismissed in by_ident.items():
            await self._put(ident, dismissed)

    async def _put(self, ident: bytes, dismissed: Dismissed) -> None:
        tag = tag_of(ident, self._tags)
        keys = [self._keys.dismissed(tag), self._keys.dismissals(tag)]
        answer = _CHANGED
        while answer == _CHANGED:
            raw = (await self._store.commands([("HGET", keys[0], ident)]))[0]
            merged = _latest([{} if raw is None else _decode(raw), dismissed])
            kept = dict(sorted(merged.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_EACH])
            put = Script(
                "put_dismissed", keys, [ident, raw or b"", _encode(kept), max(kept.values()), MOST_A_TAG]
            )
            answer = int((await self._store.scripts([put]))[0])

    async def of(self, askers: Sequence[Asker], used: frozenset[int]) -> list[Dismissed]:
        """What each of them dismissed. One round trip, none where no tag of theirs is used. Raises StateUnavailable."""
        by_tag: dict[int, dict[bytes, None]] = {}
        idents = [
            [ident for ident in asker.idents() if tag_of(ident, self._tags) in used] for asker in askers
        ]
        for mine in idents:
            for ident in mine:
                by_tag.setdefault(tag_of(ident, self._tags), {})[ident] = None
        answers = (
            await self._store.commands(
                [("HMGET", self._keys.dismissed(tag), *some) for tag, some in by_tag.items()]
            )
            if by_tag
            else []
        )
        found = {
            ident: _decode(raw)
            for some, values in zip(by_tag.values(), answers, strict=True)
            for ident, raw in zip(some, values, strict=True)
            if raw is not None
        }
        if not found:
            return [NOTHING_DISMISSED] * len(askers)
        return [_latest([found[ident] for ident in mine if ident in found]) for mine in idents]

    async def forget(self, customer: str, at_ms: int) -> None:
        """Forget what a customer dismissed up to a time. Repeating it changes nothing."""
        ident = customer_id(customer)
        tag = tag_of(ident, self._tags)
        keys = [self._keys.dismissed(tag), self._keys.dismissals(tag)]
        while True:
            raw = (await self._store.commands([("HGET", keys[0], ident)]))[0]
            held = {} if raw is None else _decode(raw)
            newer = {sku: time for sku, time in held.items() if time > at_ms}
            if len(newer) == len(held):
                return
            script = Script("let_go_dismissed", keys, [ident, at_ms])
            if newer:
                put = [ident, raw, _encode(newer), max(newer.values()), MOST_A_TAG]
                script = Script("put_dismissed", keys, put)
            await self._store.scripts([script])

    async def let_go(self, end_ms: int) -> None:
        """Drop what no policy can still hold against a SKU at `end_ms`. Repeating it changes nothing."""
        until = end_ms - KEPT_MS
        tags = sorted(await self.used())
        found = await self._store.commands(
            [
                ("ZRANGEBYSCORE", self._keys.dismissals(tag), "-inf", until, "LIMIT", 0, LET_GO_AT_ONCE)
                for tag in tags
            ]
        )
        await self._store.scripts(
            [
                Script(
                    "let_go_dismissed",
                    [self._keys.dismissed(tag), self._keys.dismissals(tag)],
                    [ident, until],
                )
                for tag, idents in zip(tags, found, strict=True)
                for ident in idents
            ]
        )


def _latest(several: Sequence[Dismissed]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for dismissed in several:
        for sku, at_ms in dismissed.items():
            merged[sku] = max(at_ms, merged.get(sku, at_ms))
    return merged


def _basket(basket_id: str) -> bytes:
    """A basket's digest; never that of a customer of the same id."""
    return blake2b(b"basket\0" + basket_id.encode()).digest()[:16]
