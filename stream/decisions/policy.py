"""The shop's limits on what may be offered, in one frozen value with a version."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

MOST_OFFERS = 50
"""More than this a basket cannot ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every number a decision depends on besides what was counted; `version` names exactly these."""

    max_offers: int = 5
    """Offers in a decision when the basket asks for no other number."""

    max_upsells: int = 1
    """Offers that replace a line, in one decision."""

    max_per_category: int | None = 3
    """Cross-sells of one category path in one decision; None is no cap."""

    max_step: float = 1.5
    """Largest price factor of an upsell (600 may become 900)."""

    known_orders: int = 30
    """Orders from which an offered rung speaks for itself; before, the line it replaces lends it its own."""

    kept_features: tuple[str, ...] = ("size", "gender")
    """Features an upsell never changes, where the range sells several of them on one rung."""

    max_grid_rungs: int = 30
    """Rungs drawn in the fare grid; a longer range is shown around the line and the offer."""

    min_together: int = 3
    """Support floor: orders that held both, below which nothing is claimed."""

    prior_orders: float = 30.0
    """Orders added to the denominator, so that a few orders do not look like certainty."""

    popularity_exponent: float = 0.2
    """Power of a partner's own order count that its score is divided by."""

    complement_score: float = 1.0
    """Score of a complement of weight 1 named by the catalogue; learned scores rarely reach 1."""

    min_score: float = 0.0
    """A cross-sell must score above this."""

    max_suppressed: int = 20
    """Refused candidates that a decision reports."""

    version: str = field(init=False)
    """Content hash of all of the above."""

    def __post_init__(self) -> None:
        content = {name: getattr(self, name) for name in self.__slots__ if name != "version"}
        digest = blake2b(msgspec.json.encode(content, order="sorted"), digest_size=8)
        object.__setattr__(self, "version", digest.hexdigest())

    def wanted(self, asked: int | None) -> int:
        """Offers to make when a basket asked for so many."""
        return self.max_offers if asked is None else min(asked, MOST_OFFERS)
