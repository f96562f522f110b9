"""Local precision weights: which items a line speaks for, fitted from counts alone.

EASE (Steck, arXiv 1905.03375) restricted to a neighbourhood: with G the co-occurrence matrix of an item and its
neighbours and P the inverse of G + prior * I, the weight of the item for neighbour j is -P[0, j] / P[j, j]. Dropout
(Steck, "Autoencoders that don't overfit towards the identity", 2020) divides G's diagonal by 1 - dropout first.

Neighbours are the best partners by count *and* the most ordered items of the shop: two items that should have met
often and never did are substitutes, and only an item that stands in the matrix can be pushed down.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_HEADS: Final = 20
"""Most ordered items of the shop that join a neighbourhood."""

REFIT_ORDERS: Final = 2
REFIT_SHARE: Final = 0.1
"""An item is fitted again when its orders changed by this many and by this share since."""


T = TypeVar("T", bound=Hashable)
"""An item, by number or by id."""


class Fit(NamedTuple):
    """One way to fit: orders added to the diagonal, and the share of orders each item is imagined to miss."""

    prior: float
    dropout: float


def precision_weights(together: Integers, orders: Integers, fits: Sequence[Fit]) -> Floats:
    """Weights of the first item of each neighbourhood for the others: (neighbourhoods, fits, items - 1).

    `together[b, i, j]` are the orders that held both items i and j of neighbourhood b, `orders[b, i]` those with
    item i; the diagonal of `together` is not looked at. A neighbourhood's weights do not depend on its company.

    >>> precision_weights(np.array([[[0, 3], [3, 0]]]), np.array([[4, 6]]), [Fit(2.0, 0.0)]).tolist()
    [[[0.5]]]
    """
    size = orders.shape[1]
    diagonal = np.arange(size)
    weights = np.empty((len(orders), len(fits), size - 1))
    for which, fit in enumerate(fits):
        gram = together.astype(np.float64)
        gram[:, diagonal, diagonal] = orders / (1.0 - fit.dropout) + fit.prior
        precision = np.linalg.inv(gram)
        weights[:, which] = -precision[:, 0, 1:] / precision[:, diagonal[1:], diagonal[1:]]
    return weights


def supported(weights: Floats, together: Integers, min_together: int) -> Floats:
    """The weights without those that speak for a neighbour the item hardly met.

    `together` are the orders that held both, in the last dimension. Below `min_together` nothing is claimed; a weight
    that speaks against a neighbour claims nothing and stays.
    """
    return np.where(together >= min_together, weights, np.minimum(weights, 0.0))


def neighbourhood(item: T, partners: Sequence[T], heads: Sequence[T]) -> list[T]:
    """The item, its partners, and those of the shop's most ordered items that are not yet among them.

    >>> neighbourhood(7, [3, 5], [5, 7, 9])
    [7, 3, 5, 9]
    """
    held: set[T] = {item, *partners}
    return [item, *partners, *[head for head in heads if head not in held][:MOST_HEADS]]


def is_stale(orders_then: int, orders_now: int) -> bool:
    """Whether an item that had so many orders when it was fitted is to be fitted again.

    >>> is_stale(10, 11), is_stale(10, 12), is_stale(100, 105), is_stale(100, 90)
    (False, True, False, True)
    """
    return abs(orders_now - orders_then) >= max(REFIT_ORDERS, REFIT_SHARE * orders_then)
