"""Customers: the account of the rolling window, the tier it makes, and the profile the shop sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from stream.codec import occurred_ms
from stream.events import CustomerUpdated
from stream.tables.batch import TierTable
from stream.tables.erased import Erased
from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Script, Store
from stream.tables.wire import POSITION_BYTES, Put, pack_puts, position_of

SWEEP_LIMIT = 100
"""Customers of a tag swept in one round."""

WITHDRAWN = b""
"""What stands in place of a profile that the shop took back."""

_profile = msgspec.json.Decoder(CustomerUpdated).decode


class Known(NamedTuple):
    """What a decision may know of a customer: the tier's name and the profile, if one was sent."""

    tier: str
    profile: CustomerUpdated | None


class Customers:
    """Reads tiers and profiles, stores profiles, and sweeps spend that left the customer window."""

    def __init__(self, store: Store, keys: Keys, tags: int, tiers: TierTable) -> None:
        self._store, self._keys, self._tags, self._tiers = store, keys, tags, tiers
        self._erased = Erased(store, keys, tags)

    async def known(self, names: Sequence[str]) -> dict[str, Known]:
        """Tier and profile of each customer; a tier set by hand wins. One round trip."""
        by_tag: dict[int, list[str]] = {}
        for name in sorted(set(names)):
            by_tag.setdefault(tag_of(customer_id(name), self._tags), []).append(name)
        answers = await self._store.commands(
            [
                ("HMGET", family(tag), *map(customer_id, mine))
                for tag, mine in by_tag.items()
                for family in (self._keys.tiers, self._keys.profiles)
            ]
        )
        known = {}
        for i, mine in enumerate(by_tag.values()):
            for name, position, raw in zip(mine, answers[2 * i], answers[2 * i + 1], strict=True):
                profile = _profile(raw[POSITION_BYTES:]) if raw and len(raw) > POSITION_BYTES else None
                tier = self._name(position)
                if profile is not None and profile.tier_override is not None:
                    tier = profile.tier_override
                known[name] = Known(tier, profile)
        return known

    async def profiles(self, names: Iterable[str]) -> dict[str, CustomerUpdated]:
        """The profiles of those customers that have one. One round trip, half of what `known` asks."""
        by_tag: dict[int, list[tuple[str, bytes]]] = {}
        for name in names:
            ident = customer_id(name)
            by_tag.setdefault(tag_of(ident, self._tags), []).append((name, ident))
        answers = await self._store.commands(
            [
                ("HMGET", self._keys.profiles(tag), *(ident for _, ident in mine))
                for tag, mine in by_tag.items()
            ]
        )
        return {
            name: _profile(raw[POSITION_BYTES:])
            for mine, found in zip(by_tag.values(), answers, strict=True)
            for (name, _), raw in zip(mine, found, strict=True)
            if raw and len(raw) > POSITION_BYTES
        }

    async def earned_tiers(self, names: Sequence[str]) -> dict[str, str]:
        """The tier each customer's spend makes, whatever was set by hand."""
        answers = await self._store.commands(
            [("HGET", self._keys.tiers(tag_of(i, self._tags)), i) for i in map(customer_id, names)]
        )
        return {name: self._name(position) for name, position in zip(names, answers, strict=True)}

    def _name(self, position: bytes | None) -> str:
        return self._tiers.names[min(int(position or b"0"), len(self._tiers.names) - 1)]

    async def put(self, partition: int, profiles: Sequence[tuple[int, str, bytes]]) -> None:
        """Store (offset, customer, event) unless a later record of that partition is there; b"" withdraws it.

        A profile no newer than its customer's erasure does not stay.
        """
        by_tag: dict[int, list[Put]] = {}
        for offset, name, raw in profiles:
            ident = customer_id(name)
            put = Put(ident, position_of(partition, offset), raw)
            by_tag.setdefault(tag_of(ident, self._tags), []).append(put)
        await self._store.scripts(
            [
                Script("put_latest", [self._keys.profiles(tag)], [pack_puts(puts)])
                for tag, puts in by_tag.items()
            ]
        )
        await self.drop_erased([name for _, name, _ in profiles])

    async def forgotten(self, names: Sequence[str]) -> list[str]:
        """Those of these customers who were erased and have not come back since."""
        erased = sorted(await self._erased.of(names))
        idents = [customer_id(name) for name in erased]
        accounts = await self._store.commands(
            [("HLEN", self._keys.customer(tag_of(ident, self._tags), ident)) for ident in idents]
        )
        return [name for name, fields in zip(erased, accounts, strict=True) if not int(fields)]

    async def drop_erased(self, names: Sequence[str]) -> None:
        """Drop the profiles of these customers that are no newer than their erasure."""
        for name, erasure in (await self._erased.of(names)).items():
            ident = customer_id(name)
            profiles = self._keys.profiles(tag_of(ident, self._tags))
            held = (await self._store.commands([("HGET", profiles, ident)]))[0]
            if held is None or len(held) == POSITION_BYTES:
                continue
            if occurred_ms(_profile(held[POSITION_BYTES:]).occurred_at) <= erasure.at_ms:
                await self._store.scripts([Script("drop_if", [profiles], [ident, held])])

    async def sweep(self, first_live: int) -> list[int]:
        """Take panes before `first_live` out of the accounts due for it; returns the tags that posted a change.

        At most `SWEEP_LIMIT` customers a tag; call again until nothing is due. Repeating it changes nothing.
        """
        cutoff = first_live - 1
        due = await self._store.commands(
            [
                ("ZRANGEBYSCORE", self._keys.due(tag), "-inf", cutoff, "LIMIT", 0, SWEEP_LIMIT)
                for tag in range(self._tags)
            ]
        )
        scripts = [
            (tag, self._sweep_script(tag, ident, cutoff)) for tag, mine in enumerate(due) for ident in mine
        ]
        answers = await self._store.scripts([script for _, script in scripts])
        return sorted({tag for (tag, _), a in zip(scripts, answers, strict=True) if int(a[1])})

    def _sweep_script(self, tag: int, ident: bytes, cutoff: int) -> Script:
        keys = self._keys
        return Script(
            "sweep",
            [
                *(keys.fences(tag), keys.customer(tag, ident), keys.tiers(tag), keys.due(tag)),
                *(keys.outbox(tag), keys.spend(tag, ident), keys.diary(tag, ident)),
            ],
            [ident, cutoff, self._tiers.packed(), f"sweep/{cutoff}"],
        )
