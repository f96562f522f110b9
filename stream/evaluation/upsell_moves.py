"""Moves within a range: what customers did who bought in the same range again, and how likely a move up is.

No history records an upsell being shown, so acceptance itself cannot be scored. What can be is the ranking: of those
who bought in a range again, who moved up, and to which rung? P(up) is that of the model that serves
(`stream.decisions.acceptance`): of the rung they stood on and the bands of the steps above it, leaning on the range,
which leans on the whole shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from stream.decisions.acceptance import ALMOST_SURE, MOVE, Acceptance, Counts
from stream.decisions.attribution import Place, climb_band, step_band
from stream.evaluation.numbered import NOBODY, NumberedOrder
from stream.history.catalogue import CatalogItem

ALL_TIERS: Final = "-"
"""A history knows no tiers."""

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


def prices_of(catalogue: Iterable[CatalogItem]) -> dict[str, dict[int, int]]:
    """The price of each rung of each range, in hundredths; 0 where there is none. Of several products the last."""
    prices: dict[str, dict[int, int]] = {}
    for item in catalogue:
        if item.range_id is not None and item.rung is not None:
            price = 0 if item.price is None else int(item.price * 100)
            prices.setdefault(item.range_id, {})[item.rung] = price
    return prices


class MoveModel:
    """Counts moves as workers do, and says what is to be expected of the next one."""

    def __init__(self, prices: Mapping[str, Mapping[int, int]]) -> None:
        self._prices = prices
        self._counted = Acceptance()
        self._moves = self._ups = 0
        self._to: dict[Rung, Counter[int]] = {}

    def chance_up(self, move: Move) -> float:
        """P(up) of a customer on this rung, between 0 and 1: to any of the rungs above."""
        bands = self._bands(move)
        chances = [self._counted.chance_of_move(self._place(move, band), 1.0 / len(bands)) for band in bands]
        return min(sum(chances), ALMOST_SURE)

    def likeliest_rung(self, move: Move) -> int:
        """The rung above that most went to from here; the next one where nobody went."""
        to = self._to.get((move.range_id, move.held))
        if not to:
            return move.held + 1
        return min(to, key=lambda rung: (-to[rung], rung))

    def usual_chance(self) -> float:
        """P(up) of the shop as a whole."""
        return (self._ups + 1) / (self._moves + 2)

    def add(self, move: Move) -> None:
        """Count a move: a trial of each band of step there was, and a success of the one that was taken."""
        taken = self._band(move, move.bought) if move.is_up else None
        for band in self._bands(move):
            self._counted.count(self._place(move, band), Counts(int(band == taken), 1))
        self._moves += 1
        self._ups += move.is_up
        if move.is_up:
            self._to.setdefault((move.range_id, move.held), Counter())[move.bought] += 1

    def _bands(self, move: Move) -> list[str]:
        above = [rung for rung in self._prices[move.range_id] if rung > move.held]
        return sorted({self._band(move, rung) for rung in above})

    def _band(self, move: Move, rung: int) -> str:
        prices = self._prices[move.range_id]
        return step_band(prices[move.held], prices[rung])

    def _place(self, move: Move, band: str) -> Place:
        return Place(MOVE, climb_band(move.held, band), ALL_TIERS, move.range_id)
