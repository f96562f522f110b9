"""Orders that a scorer can be measured by, and the blocks such measurements are kept in."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np

from stream.decisions.selection import empty_tally, merged, tally_of
from stream.events import OrderPlaced
from stream.services.partition_tally import Arrival
from stream.tables.scorers import Block, block_of


def paired_orders(seed: int, number: int) -> list[list[str]]:
    """A SKU of one letter is mostly bought with its capital; staples with everything."""
    dice, made = Random(seed), []
    for _ in range(number):
        one = dice.choice("abcdefghijkl")
        made.append(sorted({one, one.upper(), *(f"s{i}" for i in range(12) if dice.random() < 0.3)}))
    return made


def arrivals(orders: Iterable[OrderPlaced], *, first: int = 0, at_ms: int | None = None) -> list[Arrival]:
    """These orders on a log, one a second unless all are of one moment."""
    return [
        Arrival(each, first + i, 1_000 * (first + i) if at_ms is None else at_ms)
        for i, each in enumerate(orders)
    ]


def a_block(*ranks: list[int], names: list[str], number: int = 0) -> Block:
    """A block of these measured orders."""
    tally = merged([tally_of(np.array(each)) for each in ranks], empty_tally(len(names)))
    return block_of(tally, names, number=number, last_offset=number, second=0, in_second=0)
