"""Candidates for lines that no order speaks for yet: what is bought most of the categories that go with theirs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream.decisions.neighbours import CATEGORY, NeighbourRow, packed
from stream.decisions.scorers import FILL, whole

Integers = npt.NDArray[np.int64]


def category_row(
    line: int, category: str, together: int, orders: int, items: Integers, counts: Integers
) -> NeighbourRow:
    """The row of a line for the items of a category: of `orders` with the line's category `together` held both.

    Weights are next to nothing, so that no association of another line is outweighed, and more than what popularity
    fills a decision with: `FILL` times 1 + (share of those orders) x (share of the item in the category).
    """
    share = counts / max(1, int(counts.max(initial=0)))
    weights = whole(FILL * (1.0 + together / orders * share))
    elements = packed(items, weights, np.full(len(items), together, np.int64))
    return NeighbourRow(line, elements, orders=orders, source=CATEGORY, about=category)
