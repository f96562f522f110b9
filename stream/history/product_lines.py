"""Product lines that come in several package sizes: a ladder where the larger package costs more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

from msgspec.structs import replace

from stream.history.catalogue import MAX_RUNG, CatalogItem
from stream.history.package_size import package_size


def sizes_as_ladders(
    items: Mapping[int, CatalogItem], lines: Mapping[int, tuple[str, str | None]]
) -> dict[int, CatalogItem]:
    """The items, with a range and a rung for each that belongs to a ladder of sizes.

    `lines` names the product line and the package size of a product. A line is a ladder, one for each unit,
    when it has at least two sizes and the median price of a size rises with the size; the size is the rung.
    """
    by_line: defaultdict[tuple[str, str], defaultdict[Fraction, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for product in sorted(items):
        name, text = lines.get(product, ("", None))
        size = package_size(text)
        if size is not None:
            by_line[name, size.unit][size.amount].append(product)
    placed = dict(items)
    for (name, unit), sizes in by_line.items():
        ladder = sorted(sizes.items())
        if not _rises([_median_price(items, products) for _, products in ladder]):
            continue
        for rung, (_, products) in enumerate(ladder, 1):
            for product in products:
                placed[product] = replace(items[product], range_id=f"{name}/{unit}", rung=min(rung, MAX_RUNG))
    return placed


def _median_price(items: Mapping[int, CatalogItem], products: list[int]) -> Decimal:
    return median_low(items[product].price or Decimal(0) for product in products)


def _rises(prices: list[Decimal]) -> bool:
    return len(prices) > 1 and all(low < high for low, high in pairwise(prices))
