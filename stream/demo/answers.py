"""Suggestions as they come back: matched with the baskets they answer, counted, and timed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from stream.demo.hit_rate import Hits, hits_of

TOP = 10
"""Offers of a suggestion that count for the hit rate."""


class Why(Struct, gc=False):
    """The reason of an offer, in words."""

    text: str


class SeenOffer(Struct, gc=False):
    """What the demo reads of an offer."""

    kind: str
    sku: str
    reason: Why
    title: str | None = None
    price: int | None = None
    price_step: int | None = None


class SeenCause(Struct, gc=False):
    """What the demo reads of a cause."""

    event_id: str


class Seen(Struct, gc=False):
    """What the demo reads of a suggestion; the rest is skipped, not parsed."""

    suggestion_id: str
    cause: SeenCause
    timing: str
    offers: list[SeenOffer]


class OpenBasket:
    """A basket that is being filled: what was added, what was suggested, what is still unanswered."""

    def __init__(self, added: Sequence[str]) -> None:
        self.added = added
        self.offered: dict[int, frozenset[str]] = {}
        self.complete = asyncio.Event()

    def answered(self, version: int, offers: frozenset[str]) -> None:
        """Note the suggestion for the first `version` lines."""
        self.offered[version] = offers
        if len(self.offered) == len(self.added):
            self.complete.set()


@dataclass(slots=True)
class _Waiting:
    basket: OpenBasket
    version: int
    due_s: float


@dataclass(slots=True)
class Answers:
    """Everything that came back. Times are seconds of one clock."""

    suggestions: int = 0
    duplicates: int = 0
    """Suggestions read again under an id that was read before."""
    conflicting: int = 0
    """Suggestions for a cause that had one already, under another id: never right."""
    offers: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    hits: int = 0
    lines: int = 0
    latest: tuple[Sequence[str], Seen] | None = None
    """The newest suggestion with offers, and the basket it answers."""
    last_s: float = 0.0
    """When the newest suggestion came."""
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    def expect(self, event_id: str, basket: OpenBasket, version: int, due_s: float) -> None:
        """A basket event is about to be sent; it was due at `due_s`."""
        self._waiting[event_id] = _Waiting(basket, version, due_s)

    @property
    def waiting(self) -> int:
        """Basket events without a suggestion."""
        return len(self._waiting)

    @property
    def hit_rate(self) -> Hits:
        """Over all baskets that are complete."""
        return Hits(self.hits, self.lines)

    def read(self, raw: bytes, now_s: float) -> bool:
        """Take in one record of the suggestions topic; returns whether it answers a basket that was waiting.

        Raises msgspec.ValidationError for a record that is not a suggestion.
        """
        seen = _decode(raw)
        if seen.timing != "in_basket":
            return False
        cause = seen.cause.event_id
        known = self._ids.setdefault(cause, seen.suggestion_id)
        waiting = self._waiting.pop(cause, None)
        if waiting is None:
            if known == seen.suggestion_id:
                self.duplicates += 1
            else:
                self.conflicting += 1
            return False
        self._count(seen, waiting, now_s)
        return True

    def _count(self, seen: Seen, waiting: _Waiting, now_s: float) -> None:
        self.suggestions += 1
        self.last_s = now_s
        self.latencies_s.append(now_s - waiting.due_s)
        self.offers.update(offer.kind for offer in seen.offers)
        basket = waiting.basket
        if seen.offers:
            self.latest = (basket.added[: waiting.version], seen)
        basket.answered(waiting.version, frozenset(offer.sku for offer in seen.offers[:TOP]))
        if basket.complete.is_set():
            hits = hits_of(basket.added, basket.offered)
            self.hits += hits.hits
            self.lines += hits.lines


_decode = msgspec.json.Decoder(Seen).decode
