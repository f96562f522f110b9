"""What a sample of orders says beside a line that few or no orders speak for, as rows of candidates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.bought_later import heads_of, later_row
from stream.decisions.category_pairs import category_row
from stream.decisions.model import Product
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.order_sample import Head, OrderSample, goes_with

Integers = npt.NDArray[np.int64]

FEW_PARTNERS: Final = 10
"""Where orders speak for so many products beside a line, what customers came back for stood behind them all."""


class Said(NamedTuple):
    """What the sample says of a line: how its row is made of the items it names, and their counts."""

    line: int
    row: Callable[[Integers, Integers], NeighbourRow]
    heads: Sequence[Head]


def said_of(
    sample: OrderSample,
    line: int,
    ident: bytes,
    learned: NeighbourRow | None,
    product: Product | None,
    min_together: int,
) -> list[Said]:
    """What the sample says of the line with this dense index, SKU id, learned row and product.

    Where orders speak for few products beside it, what customers came back for; where for none, what goes with the
    line's category, too.
    """
    said = []
    partners = 0 if learned is None else len(learned)
    if partners < FEW_PARTNERS:
        customers, back = heads_of(sample.later, ident, min_together)
        if back:
            said.append(Said(line, partial(later_row, line, customers), back))
    if not partners and product is not None and product.category:
        for other, together, orders, heads in goes_with(sample, product.category[-1], min_together):
            said.append(Said(line, partial(category_row, line, other, together, orders), heads))
    return said


def sampled_rows(said: Sequence[Said], items: Integers) -> dict[int, tuple[NeighbourRow, ...]]:
    """The rows of each line; `items` are the dense indices of all heads one after the other, -1 for unknown ones."""
    rows: defaultdict[int, list[NeighbourRow]] = defaultdict(list)
    start = 0
    for one in said:
        named = items[start : start + len(one.heads)]
        start += len(one.heads)
        counts = np.array([count for _, count in one.heads], np.int64)
        rows[one.line].append(one.row(named[named >= 0], counts[named >= 0]))
    return {line: tuple(of_line) for line, of_line in rows.items()}
