"""Proofs of erasure: what was taken away and when, without saying for whom.

Whoever knows the customer's id and the id of the request can work out `proof_id` and look the proof up.
"""

from __future__ import annotations

import msgspec

from stream.announcements import ErasureProven
from stream.codec import encode, occurred_ms
from stream.identity import derived_id
from stream.tables.ids import tag_of
from stream.tables.keys import Keys
from stream.tables.store import Store

_decode = msgspec.json.Decoder(ErasureProven).decode


def proof_id(customer: str, event_id: str) -> str:
    """The id of the proof that answers this request; a request sent twice has one proof."""
    return derived_id("erasure", customer, event_id)


class Proofs:
    """Keeps the first proof of each request."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def keep(self, proof: ErasureProven) -> ErasureProven:
        """Store it unless there is one; the one that stands."""
        place = self._place(proof.proof_id)
        answers = await self._store.commands([("HSETNX", *place, encode(proof)), ("HGET", *place)])
        return _decode(answers[1])

    async def find(self, ident: str) -> ErasureProven | None:
        """The proof of this id."""
        raw = (await self._store.commands([("HGET", *self._place(ident))]))[0]
        return None if raw is None else _decode(raw)

    async def drop_before(self, at_ms: int) -> None:
        """Drop the proofs of what was asked for before this time."""
        held = await self._store.commands([("HGETALL", self._keys.proofs(tag)) for tag in range(self._tags)])
        for tag, fields in enumerate(held):
            for field, raw in zip(fields[::2], fields[1::2], strict=True):
                if occurred_ms(_decode(raw).asked_at) < at_ms:
                    await self._store.commands([("HDEL", self._keys.proofs(tag), field)])

    def _place(self, ident: str) -> tuple[bytes, bytes]:
        raw = bytes.fromhex(ident)
        return self._keys.proofs(tag_of(raw, self._tags)), raw
