"""The shop's will in one frozen value with a version: limits, caps, pins, boosts, bans, complements by hand.

`policy_file` reads it from TOML. A `Rule` changes some of it for a channel, a tier, or both.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from stream.fields import Currency, Id, Money, Weight, Word

MOST_OFFERS = 50
"""More than this a basket cannot ask for."""

MOST_PINS = 20

OFFERS_CAPPED: Final = 5
"""Offers that a cap of a category is meant for: a decision of twice as many may hold twice as many of a category."""

Offers = Annotated[int, Meta(ge=0, le=MOST_OFFERS)]
Cap = Annotated[int, Meta(ge=1, le=1_000)]
Step = Annotated[float, Meta(ge=1.0, le=100.0)]
Boost = Annotated[float, Meta(gt=0.0, le=100.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Fallback = Literal["measured", "popular", "none"]


class Pin(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A product offered before all others, to every basket or only beside one of certain SKUs."""

    sku: Id
    beside: tuple[Id, ...] = ()


class Companion(Struct, frozen=True, forbid_unknown_fields=True):
    """A complement by hand: `sku` goes with `of`. It takes the place of what the catalogue says of the two."""

    of: Id
    sku: Id
    weight: Weight = 1.0


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What differs on a channel, for a tier, or for a tier on a channel; what is left out stays as it is.

    Bans are added to those of the policy; everything else takes the place of what the policy says.
    """

    channel: Word | None = None
    tier: Word | None = None
    max_offers: Offers | None = None
    max_upsells: Offers | None = None
    max_per_category: Cap | None = None
    max_step: Step | None = None
    min_score: float | None = None
    min_accept: Share | None = None
    value_weight: Share | None = None
    bans: frozenset[Id] = frozenset()
    banned_categories: frozenset[Word] = frozenset()
    pins: tuple[Pin, ...] | None = None

    def applies(self, channel: str, tier: str) -> bool:
        """Whether it speaks of baskets of this channel and tier."""
        return self.channel in (None, channel) and self.tier in (None, tier)


_TAKEN_OVER = (
    *("max_offers", "max_upsells", "max_per_category", "max_step", "min_score", "min_accept", "value_weight"),
    "pins",
)
"""What of a rule takes the place of what the policy says."""


class Policy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every number a decision depends on besides what was counted; `version` names exactly these."""

    max_offers: Offers = 5
    """Offers in a decision when the basket asks for no other number."""

    max_upsells: Offers = 1
    """Offers that replace a line, in one decision."""

    max_per_category: Cap | None = 3
    """Cross-sells of one category path for every five places that upsells leave, or part of five; None is no cap."""

    trust_ranges: bool = False
    """Whether a range is what the catalogue says, products that replace each other, whatever orders say of them."""

    max_step: Step = 1.5
    """Largest price factor of an upsell (600 may become 900)."""

    known_orders: Annotated[int, Meta(ge=0)] = 30
    """Orders from which an offered rung speaks for itself; before, the line it replaces lends it its own."""

    kept_features: tuple[Word, ...] = ("size", "gender")
    """Features an upsell never changes, where the range sells several of them on one rung."""

    max_grid_rungs: Annotated[int, Meta(ge=2, le=200)] = 30
    """Rungs drawn in the fare grid; a longer range is shown around the line and the offer."""

    min_together: Annotated[int, Meta(ge=1)] = 3
    """Support floor: orders that held both, below which nothing is claimed."""

    prior_orders: Annotated[float, Meta(ge=0.0, le=1e6)] = 30.0
    """Orders added to the denominator, so that a few orders do not look like certainty."""

    popularity_exponent: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.2
    """Power of a partner's own order count that its score is divided by."""

    complement_score: Annotated[float, Meta(gt=0.0, le=100.0)] = 1.0
    """Score of a complement of weight 1 named by the catalogue; learned scores rarely reach 1."""

    min_score: float = 0.0
    """A cross-sell must score above this."""

    max_suppressed: Annotated[int, Meta(ge=0, le=1_000)] = 20
    """Refused candidates that a decision reports."""

    bans: frozenset[Id] = frozenset()
    """SKUs that are never offered."""

    banned_categories: frozenset[Word] = frozenset()
    """Categories, at any place of a product's category path, of which nothing is ever offered."""

    once_categories: frozenset[Word] = frozenset()
    """Categories, at any place of the path, of whose products a customer needs no second one. Services and
    subscriptions are needed once without being named."""

    boosts: dict[Id, Boost] = {}
    """Factors on the learned and named scores of SKUs: 2 is twice as good, 0.5 half."""

    category_boosts: dict[Word, Boost] = {}
    """The same for categories, at any place of the path; several factors multiply."""

    pins: Annotated[tuple[Pin, ...], Meta(max_length=MOST_PINS)] = ()
    """Products that stand before all others, in this order."""

    complements: Annotated[tuple[Companion, ...], Meta(max_length=100_000)] = ()
    """What goes with what, by hand."""

    fallback: Fallback = "measured"
    """When what is ordered most may be offered without any association: where a scorer that gives it a say was measured
    to serve this shop best (`measured`), always (`popular`), or never (`none`)."""

    max_buy_again: Offers = 1
    """Offers in a decision of what the customer buys in a rhythm of their own."""

    buy_again_from: Share = 0.75
    """Share of the customer's interval after which a product is due, so before it is expected."""

    buy_again_until: Annotated[float, Meta(ge=1.0, le=10.0)] = 2.0
    """Intervals after which the rhythm is taken to be over."""

    accept_prior: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.1
    """Chance that an offer is taken, before anything was counted."""

    min_accept: Share = 0.005
    """A rung less likely to be taken than this is not offered, once `accept_trials` have shown it."""

    accept_trials: Annotated[int, Meta(ge=1)] = 200
    """Trials (offers shown, and lines held, of the range) from which `min_accept` holds."""

    value_weight: Share = 0.0
    """How much the expected value, beside the score, says in the order of what is offered besides: 0 nothing, 1 all."""

    bundles: bool = False
    """Whether offers that are named complements of one item say that they belong together, and what all cost."""

    dismissed_days: Annotated[float, Meta(ge=0.0, le=90.0)] = 30.0
    """So long a dismissed product is not offered again in the basket, or to the customer, it was dismissed by."""

    thresholds: dict[Currency, Money] = {}
    """Basket values from which there is a benefit (free delivery), in minor units by currency."""

    threshold_reach: Share = 0.3
    """A basket is lifted over a threshold when at most this share of it is missing."""

    rules: Annotated[tuple[Rule, ...], Meta(max_length=200)] = ()
    """What differs on channels and for tiers; of several that apply, a later one stands over an earlier one."""

    version: str = ""
    """Content hash of all of the above; derived, whatever is given."""

    def __post_init__(self) -> None:
        content = {
            name: _ordered(getattr(self, name)) for name in self.__struct_fields__ if name != "version"
        }
        digest = blake2b(msgspec.json.encode(content, order="sorted"), digest_size=8)
        force_setattr(self, "version", digest.hexdigest())

    def wanted(self, asked: int | None) -> int:
        """Offers to make when a basket asked for so many."""
        return self.max_offers if asked is None else min(asked, MOST_OFFERS)

    def most_alike(self, places: int) -> int:
        """Cross-sells of one category at most, where there are so many places."""
        if self.max_per_category is None:
            return places
        return self.max_per_category * max(1, -(-places // OFFERS_CAPPED))

    def seen_by(self, channel: str, tier: str) -> Policy:
        """The policy as the rules make it for a channel and a tier; it keeps the version of the whole."""
        applying = [rule for rule in self.rules if rule.applies(channel, tier)]
        if not applying:
            return self
        changed: dict[str, Any] = {"bans": self.bans, "banned_categories": self.banned_categories}
        for rule in applying:
            for name in _TAKEN_OVER:
                if getattr(rule, name) is not None:
                    changed[name] = getattr(rule, name)
            changed["bans"] |= rule.bans
            changed["banned_categories"] |= rule.banned_categories
        seen = msgspec.structs.replace(self, rules=(), **changed)
        force_setattr(seen, "version", self.version)
        return seen

    @property
    def bars_any(self) -> bool:
        """Whether the shop bans anything."""
        return bool(self.bans or self.banned_categories)

    def bars(self, sku: str, category: Iterable[str]) -> bool:
        """Whether the shop bans a product of this SKU and category path."""
        return sku in self.bans or (
            bool(self.banned_categories) and not self.banned_categories.isdisjoint(category)
        )

    def boost(self, sku: str, category: Iterable[str]) -> float:
        """The factor on the score of a product."""
        factor = self.boosts.get(sku, 1.0)
        if self.category_boosts:
            for name in category:
                factor *= self.category_boosts.get(name, 1.0)
        return factor

    def pinned(self) -> list[str]:
        """All SKUs that are pinned for anybody, sorted."""
        pins = [*self.pins, *(pin for rule in self.rules for pin in rule.pins or ())]
        return sorted({pin.sku for pin in pins})


def _ordered(value: object) -> object:
    """A set has no order of its own, and a digest needs one."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_ordered(entry) for entry in value]
    if isinstance(value, Rule):
        return {name: _ordered(getattr(value, name)) for name in value.__struct_fields__}
    return value
