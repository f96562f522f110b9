"""What of a range replaces what: the catalogue says so, and orders may speak against it.

A range is meant to hold what is bought instead of each other. Some catalogues call departments ranges, and orders tell
the two apart: rungs of a ladder are bought together no more often than chance would have it, a bottle and its cage far
more often. Where a range holds things that are bought together, a higher rung may serve something else, too: the dearer
tyre is one for mountains. It is then bought with other tubes than the line.

Counts are compared in whole numbers: neither the order of partners nor their numbering can make a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.decisions.assortment import Assortment
from stream.decisions.codes import BOUGHT_TOGETHER, OTHER_USE
from stream.decisions.ladder import Ladder
from stream.decisions.lines import UNJUDGED, Judged, Lines
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Policy
from stream.decisions.views import Views

SURE: Final = 3
"""Standard deviations above chance from which two products are surely bought together: by chance one pair in a
thousand is."""

TOGETHER_PERCENT: Final = 15
"""Of the orders of the rarer of two products at least so many per cent hold both: some households and offices buy two
laptops, and of rarely bought ones a few such orders are beyond chance."""

PARTNERS_COMPARED: Final = 10
"""Of a line's partners the heaviest so many say what it is used with."""

ALIKE_PERCENT: Final = 80
"""A rung has a line's use when it was bought with these partners at least so many per cent as often as the line."""

FEWEST_EXPECTED: Final = 5
"""Orders of a rung with these partners that have to be expected before their absence says anything."""

LIST_LENGTH: Final = 50
LONG_ROW: Final = 40
"""Partner lists end after 50, of which a row may have left some out: what one of 40 does not name may have had no
room."""

NEARLY: Final = 2
"""Standard deviations below chance up to which two products are bought together as chance has it."""

FEWEST_BY_CHANCE: Final = 10
"""Orders with both that chance has to expect before their absence says that one replaces the other."""


def judged(
    item: int,
    own: int,
    partners: npt.NDArray[np.int64],
    together: npt.NDArray[np.int64],
    goods: Assortment,
    orders: npt.NDArray[np.int64],
    total: int,
) -> Judged:
    """What a line's partners, and the orders that held both, say of its range.

    `own` are the orders of the line, `orders` those of each partner, by dense index, `total` those of the shop.
    """
    of_range = goods.range_of[item]
    if not of_range:
        return UNJUDGED
    in_range = goods.range_of.take(partners) == of_range
    met, its = together[~in_range], orders[partners[~in_range]]
    lines, of = as_chance_has_it(own, total, int(met.sum()), int(its.sum()))
    alike = [
        (other, met, int(orders[other]))
        for other, met in zip(partners[in_range].tolist(), together[in_range].tolist(), strict=True)
    ]
    return Judged(
        frozenset(other for other, met, its in alike if are_bought_together(met, own, its, total)),
        frozenset(other for other, met, its in alike if is_as_by_chance(met, lines, its, of)),
    )


def as_chance_has_it(own: int, total: int, met: int, its: int) -> tuple[int, int]:
    """Of how many orders of another product how many hold a line as well, were neither bought because of the other.

    That is `own` of `total` where orders are large. Small orders have no room for both: then all that the line was
    bought with was met less often than that, `met` times in `its` orders, and so is whatever else goes its own way.

    >>> as_chance_has_it(500, 10_000, 300, 4_000), as_chance_has_it(500, 10_000, 100, 4_000)
    ((500, 10000), (100, 4000))
    """
    return (met, its) if met * total < own * its else (own, total)


def is_as_by_chance(together: int, orders: int, other_orders: int, total: int) -> bool:
    """Whether so many of `total` orders held both of two products as chance has it, or more, and enough to tell.

    What replaces each other is hardly ever bought together. Of the first product's orders and `total` only the ratio
    counts (`as_chance_has_it`).

    >>> [is_as_by_chance(together, 500, 1000, 10_000) for together in (35, 36)]
    [False, True]
    >>> is_as_by_chance(9, 90, 1000, 10_000)
    False
    """
    by_chance = orders * other_orders
    short = by_chance - together * total
    if by_chance < FEWEST_BY_CHANCE * total:
        return False
    return short <= 0 or short * short <= NEARLY * NEARLY * by_chance * total


def are_bought_together(together: int, orders: int, other_orders: int, total: int) -> bool:
    """Whether so many of `total` orders held both of two products as can be neither chance nor the odd order for two.

    >>> [are_bought_together(together, 500, 1000, 10_000) for together in (60, 74, 75)]
    [False, False, True]
    >>> [are_bought_together(together, 1000, 1000, 2_000) for together in (520, 567, 568)]
    [False, False, True]
    """
    by_chance = orders * other_orders
    beyond = together * total - by_chance
    if together * 100 < TOGETHER_PERCENT * min(orders, other_orders):
        return False
    return beyond > 0 and beyond * beyond > SURE * SURE * by_chance * total


def replaces(item: int, cart: Sequence[int], views: Views, policy: Policy) -> bool:
    """Whether an item replaces a product of the cart: one of its range that does not let it in."""
    lines, range_of = views.lines, views.assortment.range_of
    of_range = range_of[item]
    return bool(of_range) and any(
        range_of[held] == of_range and (policy.trust_ranges or not lines.at(held).judged.lets_in(item))
        for held in cart
    )


def spoken_against(held: str, rung: str, ladder: Ladder, lines: Lines) -> str | None:
    """The code by which orders speak against offering one SKU of a ladder instead of another, None where they do not.

    The use of a rung is asked for only where something of the range is bought beside one of the two: phones each have
    cases of their own, and their range is a ladder all the same. What was found of two rows is kept with the ladder.
    """
    line, other = lines.get(held), lines.get(rung)
    if line is None or other is None:
        return None
    if other.item in line.judged.beside:
        return BOUGHT_TOGETHER
    if not line.judged.beside and not other.judged.beside:
        return None
    own, its = line.learned, other.learned
    if own is None or its is None:
        return None
    known = ladder.uses.get((held, rung))
    if known is None or known[0] is not own or known[1] is not its:
        known = ladder.uses[held, rung] = own, its, has_other_use(own, its)
    return OTHER_USE if known[2] else None


def has_other_use(line: NeighbourRow, rung: NeighbourRow) -> bool:
    """Whether a rung is bought without what a line is bought with.

    Over the line's heaviest partners (and all that weigh as much as the last of them) the orders that the rung should
    have had with each, were it bought like the line, are added up, and those it did have, up to as many. A partner that
    the rung's row does not name had none; where the rung's list may have been full, as many as the last one on it.
    """
    partners = [
        (weight, together, item)
        for item, weight, together in zip(line.candidates(), line.whole_weights(), line.counts(), strict=True)
        if weight > 0 and item != rung.item
    ]
    if not partners:
        return False
    heaviest = sorted((weight for weight, *_ in partners), reverse=True)[:PARTNERS_COMPARED]
    counts = rung.counts()
    met = dict(zip(rung.candidates(), counts, strict=True))
    unnamed = min(sorted(counts, reverse=True)[:LIST_LENGTH]) if len(counts) >= LONG_ROW else 0
    # In orders of the rung times orders of the line: these are whole.
    expected = observed = 0
    for weight, together, item in partners:
        if weight >= heaviest[-1]:
            expected += rung.orders * together
            observed += min(rung.orders * together, line.orders * met.get(item, unnamed))
    return expected >= FEWEST_EXPECTED * line.orders and observed * 100 < ALIKE_PERCENT * expected
