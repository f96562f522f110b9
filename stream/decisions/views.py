"""Views: everything a fetched batch may know, by dense index.

Whoever reads the tables numbers the SKUs it meets densely (0, 1, 2, ...; batch-local or for the life of a
worker) and fills what it has read. A dense index never shows in a decision: two workers that number
differently decide the same.

What has to be in a view:

- for each line's SKU that was ever counted or is in the catalogue: its `LineView`, with its learned row
  (`neighbours.neighbour_rows`) and, for a product with complements, the named row
  (`complements.complement_row`);
- for each product in the catalogue among the lines and the partners of their rows: the product;
- for a line's product with a range: the ladder (`ladder.Ladder`);
- for each rung that `candidates.rungs_above` answers: what a line has;
- for each customer who bought before: their `Shopper`, and the products in it.

What is missing is taken as unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from stream.decisions.acceptance import NO_ACCEPTANCE, Acceptance
from stream.decisions.assortment import Assortment
from stream.decisions.habits import Habits
from stream.decisions.ladders import Ladders
from stream.decisions.lines import Lines
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Policy
from stream.decisions.rhythm import Rhythm


class Shopper(Struct, frozen=True, gc=False):
    """What a customer's own orders say: a row of what they bought, what they buy in a rhythm, and all of it."""

    own: NeighbourRow | None = None
    rhythms: tuple[Rhythm, ...] = ()
    habits: Habits | None = None


class Views(Struct, frozen=True, gc=False, kw_only=True):
    """References to what was read; making one copies nothing.

    `items` are the dense indices of SKUs, of those at least that are lines of the baskets and known. `lines` are by
    SKU or dense index. The `assortment` is by dense index (a SKU that is not in the catalogue is
    still offerable, without title and price). `pins` numbers the SKUs that the
    policy pins. `policy` is the one that rows and ladders were made under,
    `scorer` the name of the scorer they were made by. `shoppers` are by customer; `popular` holds
    by (channel, tier) the row of what is ordered most, none where it is no reason.
    """

    items: Mapping[str, int]
    lines: Lines
    assortment: Assortment
    pins: Mapping[str, int] = {}
    shoppers: Mapping[str, Shopper] = {}
    popular: Mapping[tuple[str, str], NeighbourRow] = {}
    acceptance: Acceptance = NO_ACCEPTANCE
    policy: Policy = Policy()
    scorer: str = ""
    window_days: int = 90

    @property
    def ladders(self) -> Ladders:
        """The ladders of the ranges that lines stand in."""
        return self.lines.ladders

    @property
    def skus(self) -> Sequence[str]:
        """SKUs by dense index."""
        return self.assortment.skus

    @property
    def version(self) -> str:
        """What names all that decides besides the counts: the policy's version and the scorer the lines speak by."""
        return f"{self.policy.version}+{self.scorer}" if self.scorer else self.policy.version
