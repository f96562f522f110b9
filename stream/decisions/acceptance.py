"""P(accept): how likely an offer is to be taken, as a Beta posterior that leans on wider ones.

Counted is per place (kind, step band, tier, range or category). A place with few trials says little by itself, so its
chance is drawn to that of its band in the range, that to the range, that to the kind as a whole, and that to the prior
of the policy, each time as if `LEAN` trials had shown what the wider one says.

Two things are counted: what became of offers (shown, added), and what shoppers did unprompted: held a rung, with
higher ones above, and moved up to one or stayed (`MOVE`). Acceptance itself comes from offers alone; the moves say how
a range, or a step within it, differs from the others: what people climb by themselves they accept sooner.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from stream.decisions.attribution import UPSELL, Place, climb_band

LEAN: Final = 10.0
"""Trials after which a place speaks for itself as much as what it leans on does."""

PRIOR_TRIALS: Final = 50.0
"""The same for a kind as a whole, which leans on the policy's prior."""

MOVE: Final = "move"
"""In the place of a kind: a rung that was held, and whether the shopper went up by themselves."""

USUAL_MOVE: Final = 0.05
"""The chance of a move before any was seen; only how moves differ from each other matters."""

MOST_TILT: Final = 4.0
"""A range is taken to be at most so many times likelier than the shop before its own offers have said so."""

ALMOST_SURE: Final = 0.999


class Counts(NamedTuple):
    """`taken` of `trials`; no trial without an outcome, so `taken` may never be more."""

    taken: int
    trials: int

    def __add__(self, other: object) -> Counts:
        assert isinstance(other, Counts)
        return Counts(self.taken + other.taken, self.trials + other.trials)


NOTHING: Final = Counts(0, 0)


class Estimate(NamedTuple):
    """The chance that an offer is taken, what was counted in its very place, and the trials of its whole scope."""

    chance: float
    place: Counts
    scope_trials: int


def leaning(counts: Counts, on: float, weight: float = LEAN) -> float:
    """The mean of the Beta posterior of `counts` under a prior of mean `on`, worth `weight` trials.

    >>> leaning(Counts(0, 0), 0.3), leaning(Counts(3, 10), 0.1)
    (0.3, 0.2)
    """
    return (counts.taken + weight * on) / (counts.trials + weight)


class Acceptance:
    """Everything that was counted, summed for every breadth that is leaned on. The same for the same counts."""

    def __init__(self, counts: Iterable[tuple[Place, Counts]] = ()) -> None:
        self._sums: dict[tuple[str, ...], Counts] = {}
        for place, counted in counts:
            self.count(place, counted)

    def count(self, place: Place, counted: Counts) -> None:
        """Add what was counted at a place."""
        kind, band, tier, scope = place
        for breadth in ((kind,), (kind, scope), (kind, scope, band), (kind, scope, band, tier)):
            self._sums[breadth] = self._sums.get(breadth, NOTHING) + counted

    def __bool__(self) -> bool:
        return bool(self._sums)

    def counted(self, *breadth: str) -> Counts:
        """What was counted of a kind, a scope of it, a band of that, a tier of that."""
        return self._sums.get(breadth, NOTHING)

    def knows(self, range_id: str) -> bool:
        """Whether anything was counted of a range, prompted or not."""
        return (UPSELL, range_id) in self._sums or (MOVE, range_id) in self._sums

    def usual_move(self) -> float:
        """How likely a move is in the shop as a whole."""
        return leaning(self.counted(MOVE), USUAL_MOVE, PRIOR_TRIALS)

    def chance_of_move(self, place: Place, rarer: float = 1.0) -> float:
        """How likely a shopper is to go up by this step unprompted; `rarer` is how the prior of it shrinks.

        The place's band is a `climb_band`.
        """
        _, band, tier, scope = place
        chance = leaning(self.counted(MOVE, scope), self.usual_move())
        chance = leaning(self.counted(MOVE, scope, band), chance * rarer)
        return leaning(self.counted(MOVE, scope, band, tier), chance)

    def estimate(self, place: Place, prior: float) -> Estimate:
        """P(accept) of an offer of something besides."""
        kind, band, tier, scope = place
        chance = leaning(self.counted(kind), prior, PRIOR_TRIALS)
        seen = self.counted(kind, scope)
        chance = leaning(self.counted(kind, scope, band), leaning(seen, chance))
        counted = self.counted(kind, scope, band, tier)
        return Estimate(leaning(counted, chance), counted, seen.trials)

    def estimate_step(self, place: Place, held_rung: int, prior: float, rarer: float = 1.0) -> Estimate:
        """P(accept) of a rung above `held_rung`.

        `rarer` (0 to 1) is how much less likely than the next step the prior takes this one to be, before anything
        was counted of it; 1 for the next step.
        """
        kind, band, tier, scope = place
        moved, usual = self.counted(MOVE, scope), self.usual_move()
        of_range = leaning(moved, usual)
        stepped = self.chance_of_move(place._replace(band=climb_band(held_rung, band)), rarer)
        chance = leaning(self.counted(kind), prior, PRIOR_TRIALS)
        seen = self.counted(kind, scope)
        chance = leaning(seen, _tilted(chance, of_range / usual))
        chance = leaning(self.counted(kind, scope, band), _tilted(chance, stepped / of_range))
        counted = self.counted(kind, scope, band, tier)
        return Estimate(leaning(counted, chance), counted, seen.trials + moved.trials)


def _tilted(chance: float, factor: float) -> float:
    return min(chance * min(factor, MOST_TILT), ALMOST_SURE)


NO_ACCEPTANCE: Final = Acceptance()
