"""Moves within a range: what customers did who bought in the same range again, and how likely a move up is.

No history records an upsell being shown, so acceptance itself cannot be scored. What can be is the ranking: of those
who bought in a range again, who moved up, and to which rung? P(up) is a Beta posterior of the rung they stood on,
which leans on its range, which leans on the whole shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from stream.evaluation.numbered import NOBODY, NumberedOrder
from stream.history.catalogue import CatalogItem

LEAN: Final = 10.0
"""Moves after which a rung, or a range, speaks for itself as much as what it leans on does."""

Rung = tuple[str, int]
"""A range and a rung of it."""


class Move(NamedTuple):
    """A customer who held a rung of a range bought in that range again; there are rungs above the one held."""

    range_id: str
    held: int
    bought: int

    @property
    def is_up(self) -> bool:
        """Whether the rung is higher than the one held."""
        return self.bought > self.held


def rungs_of(catalogue: Iterable[CatalogItem], skus: Iterable[str]) -> dict[int, Rung]:
    """The range and rung of each SKU by number, of those that stand in a range."""
    placed = {
        item.sku: (item.range_id, item.rung)
        for item in catalogue
        if item.range_id is not None and item.rung is not None
    }
    return {number: placed[sku] for number, sku in enumerate(skus) if sku in placed}


class Holdings:
    """The rung each customer stands on in each range: the highest of their last order in it."""

    def __init__(self, rungs: Mapping[int, Rung], ladders: Mapping[str, int]) -> None:
        self._rungs, self._highest = rungs, ladders
        self._held: dict[tuple[int, str], int] = {}

    def moves(self, order: NumberedOrder) -> Iterator[Move]:
        """The moves an order makes, by range; from then on the customer stands on its rungs."""
        if order.customer == NOBODY:
            return
        bought: dict[str, int] = {}
        for item in order.items:
            if item in self._rungs:
                range_id, rung = self._rungs[item]
                bought[range_id] = max(rung, bought.get(range_id, rung))
        for range_id, rung in sorted(bought.items()):
            held = self._held.get((order.customer, range_id))
            if held is not None and held < self._highest[range_id]:
                yield Move(range_id, held, rung)
            self._held[order.customer, range_id] = rung


class MoveModel:
    """Counts moves, and says what is to be expected of the next one."""

    def __init__(self) -> None:
        self._ups: Counter[object] = Counter()
        self._all: Counter[object] = Counter()
        self._to: dict[Rung, Counter[int]] = {}

    def chance_up(self, move: Move) -> float:
        """P(up) of a customer on this rung, between 0 and 1."""
        shop = (self._ups[None] + 1) / (self._all[None] + 2)
        in_range = self._leaning(move.range_id, shop)
        return self._leaning((move.range_id, move.held), in_range)

    def likeliest_rung(self, move: Move) -> int:
        """The rung above that most went to from here; the next one where nobody went."""
        to = self._to.get((move.range_id, move.held))
        if not to:
            return move.held + 1
        return min(to, key=lambda rung: (-to[rung], rung))

    def usual_chance(self) -> float:
        """P(up) of the shop as a whole."""
        return (self._ups[None] + 1) / (self._all[None] + 2)

    def add(self, move: Move) -> None:
        """Count a move."""
        for key in (None, move.range_id, (move.range_id, move.held)):
            self._all[key] += 1
            self._ups[key] += move.is_up
        if move.is_up:
            self._to.setdefault((move.range_id, move.held), Counter())[move.bought] += 1

    def _leaning(self, key: object, on: float) -> float:
        return (self._ups[key] + LEAN * on) / (self._all[key] + LEAN)
