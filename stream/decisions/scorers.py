"""The grid of scorers a shop is served by: what each adds up for a candidate.

The score of candidate j is the sum over the lines of w(line -> j) * share_j ** exponent, plus `popular` * share_j
if j is one of the shop's most ordered items, plus `own` * (how often this customer bought j); share_j is the share of
all orders that hold j. All terms are multiplied by orders ** exponent, which changes no ranking: what a line says then
depends on no total, and is as large as what the baseline says. Every term is a row of weights in whole numbers, as all
rows are (`neighbours.FRACTION`).

No scorer wins everywhere: dense data wants popularity, a long tail the opposite, and only customers who come back can
be known. Which one serves is decided by `stream.decisions.selection`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.neighbours import FRACTION, MOST_WEIGHT
from stream.decisions.precision import Fit

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NOTHING: Final = ""
"""In the place of a fit: the lines say nothing."""

BASELINE: Final = "baseline"
"""In the place of a fit: co-purchase counts over the line's own orders."""

FITS: Final = {"precision-20": Fit(20, 0), "dropout-20": Fit(20, 0.33), "precision-200": Fit(200, 0)}
"""Ways to fit precision weights that the grid knows, by name."""

OWN_PRIOR: Final = 2.0
"""Purchases of an item at which a customer's own frequency has half its say."""

FILL: Final = 1e-5
"""Weight of popularity that never beats an association, and orders candidates that have none."""


class Scorer(Struct, frozen=True, gc=False):
    """One way to score: `weights` is `NOTHING`, `BASELINE` or a name in `FITS`.

    `beside` is the say of the baseline beside a fit: where most pairs met once or twice, a fit knows little.
    """

    name: str
    weights: str
    exponent: float = 0.0
    popular: float = FILL
    own: float = 0.0
    beside: float = 0.0

    @property
    def claims_association(self) -> bool:
        """Whether an offer of this scorer may say that items are bought together."""
        return self.weights != NOTHING


GRID: Final = (
    Scorer("popularity", NOTHING, popular=1.0),
    Scorer("bought-before", NOTHING, popular=0.01, own=1.0),
    Scorer("baseline", BASELINE, -0.2),
    Scorer("baseline+own", BASELINE, -0.2, own=0.25),
    Scorer("precision-20", "precision-20", -0.2),
    Scorer("precision-20+own", "precision-20", -0.2, own=0.5),
    Scorer("precision-20+popular", "precision-20", popular=0.3),
    Scorer("precision-20+baseline", "precision-20", popular=0.1, beside=0.3),
    Scorer("dropout-20+own", "dropout-20", -0.2, popular=0.3, own=0.5),
    Scorer("dropout-20+popular+own", "dropout-20", popular=0.1, own=0.2),
    Scorer("precision-200+popular", "precision-200", popular=0.3),
    Scorer("precision-200+popular+own", "precision-200", popular=0.3, own=0.2),
    Scorer("precision-200+baseline", "precision-200", -0.2, beside=0.3),
    Scorer("precision-200+baseline+own", "precision-200", -0.2, own=0.5, beside=0.3),
)
"""Simplest first: of two that are as good, the earlier one serves."""


SERVED: Final = next(scorer for scorer in GRID if scorer.name == "precision-20")
"""What a line says in a worker: the best of the grid on most shops among those that need lines alone."""


def line_weights(scorer: Scorer, weights: Floats, orders: Integers) -> Integers:
    """What a line adds to the scores of its candidates, of which so many orders hold each."""
    return whole(weights if scorer.exponent == 0.0 else weights * np.power(orders + 1.0, scorer.exponent))


def popular_weights(scorer: Scorer, orders: Integers, total: int, boosts: Floats | float = 1.0) -> Integers:
    """What the shop as a whole adds to the scores of its most ordered items. `boosts` are the policy's factors."""
    share = np.asarray((orders + 1.0) / (total + 1.0), np.float64)
    return whole(scorer.popular * _scale(scorer, total) * share * boosts)


def own_weights(
    scorer: Scorer, bought: Integers | Floats, total: int, boosts: Floats | float = 1.0
) -> Integers:
    """What the customer's history adds to the scores of what they bought, by how many of their orders held it."""
    return whole(scorer.own * _scale(scorer, total) * (bought / (bought + OWN_PRIOR)) * boosts)


def _scale(scorer: Scorer, total: int) -> float:
    return float((total + 1.0) ** scorer.exponent)


def whole(weights: Floats) -> Integers:
    """Weights in the whole numbers that rows hold."""
    return np.rint(np.clip(weights, -MOST_WEIGHT, MOST_WEIGHT) * FRACTION).astype(np.int64)
