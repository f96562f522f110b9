"""Views: everything a fetched batch may know, by dense index.

Whoever reads the tables numbers the SKUs it meets densely (0, 1, 2, ...; batch-local or for the life of a
worker) and fills what it has read. A dense index never shows in a decision: two workers that number
differently decide the same.

What has to be in a view:

- for each line's SKU that was ever counted: its number and its learned row (`neighbours.neighbour_rows`);
- for each product in the catalogue among the lines and the partners of their rows: the product;
- for a line's product with complements: the named row (`complements.complement_row`);
- for a line's product with a range: the ladder (`ladder.Ladder`);
- for each rung that `candidates.rungs_to_offer` answers: number and rows as for a line.

What is missing is taken as unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from stream.decisions.ladder import Ladder
from stream.decisions.model import Product
from stream.decisions.neighbours import NeighbourRow


class Views(Struct, frozen=True, gc=False, kw_only=True):
    """References to what was read; making one copies nothing.

    `index` numbers the SKUs, `skus` and `products` are by that number (None: not in the catalogue, still
    offerable without title and price). `learned` and `named` hold rows by number; `ladders` are by range id.
    """

    index: Mapping[str, int]
    skus: Sequence[str]
    products: Sequence[Product | None]
    learned: Mapping[int, NeighbourRow]
    named: Mapping[int, NeighbourRow] = {}
    ladders: Mapping[str, Ladder] = {}
    window_days: int = 90
