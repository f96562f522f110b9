"""Ladders: the rungs of a range in order, the fare grid over them, and the next rung above a line."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from stream.decisions.codes import ALREADY_OWNED, IN_CART, LOWER_RUNG, STEP_TOO_HIGH, WRONG_TIMING
from stream.decisions.eligibility import needed_once, refusal
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Policy
from stream.events import FeatureValue
from stream.identity import offer_tail
from stream.suggestion import Rung, Suppressed


class Step(Struct, frozen=True, gc=False):
    """What every offer of one rung instead of another says: the tail of its id, the fare grid, features by name."""

    offer_tail: str
    grid: list[Rung]
    gained: list[str]
    lost: list[str]


class Ladder(Struct, frozen=True, gc=False):
    """A range: its rungs by (rung, price, sku), each with its column of the fare grid.

    `variants` are the features that do not make a rung better but another article (size, gender): those of
    the policy's kept features that differ within one rung. Where each rung has one size, as with pizzas, the
    size is what the rungs are and is not kept.
    """

    rungs: tuple[Product, ...]
    grid: tuple[Rung, ...]
    levels: tuple[int, ...]
    variants: tuple[str, ...]
    once: dict[str, int] = {}
    """The rungs, by SKU, that a customer needs once."""
    steps: dict[tuple[str, str, int], Step] = {}
    """Those that were offered before, by the SKUs held and offered and the longest grid."""
    uses: dict[tuple[str, str], tuple[NeighbourRow, NeighbourRow, bool]] = {}
    """Whether a rung has another use than a line, by the SKUs held and offered, with the rows that was found from."""

    def step(self, held: Product, offered: Product, most: int) -> Step:
        """The step from one rung to another with at most so many rungs in its grid, worked out once."""
        step = self.steps.get((held.sku, offered.sku, most))
        if step is None:
            step = self.steps[held.sku, offered.sku, most] = Step(
                offer_tail("upsell", offered.sku, held.sku),
                fare_grid(self, held, offered, most),
                features_gained(held, offered),
                features_lost(held, offered),
            )
        return step

    def above(self, held: Product) -> Sequence[Product]:
        """Rungs strictly above a product, of its variant, lowest first."""
        return self._alike(held, self.rungs[bisect_right(self.levels, held.rung) :])

    def below(self, held: Product) -> Sequence[Product]:
        """Rungs strictly below a product, of its variant, lowest first."""
        return self._alike(held, self.rungs[: bisect_left(self.levels, held.rung)])

    def drawn(self, held: Product) -> list[tuple[Product, Rung]]:
        """Rungs of a product's variant, with their columns of the fare grid."""
        columns = zip(self.rungs, self.grid, strict=True)
        if not self.variants:
            return list(columns)
        alike = {product.sku for product in self._alike(held, self.rungs)}
        return [(product, column) for product, column in columns if product.sku in alike]

    def _alike(self, held: Product, rungs: Sequence[Product]) -> Sequence[Product]:
        if not self.variants:
            return rungs
        kept = [(name, held.features.get(name)) for name in self.variants]
        return [rung for rung in rungs if all(rung.features.get(name) == value for name, value in kept)]


NOTHING_ONCE: Final[dict[str, int]] = {}
"""In the place of the rungs that a customer needs once, of a range without any: most have none."""


class Climb(Struct, frozen=True, gc=False):
    """What walking up a ladder found: rungs that may be offered, lowest first, and those passed over, with codes."""

    rungs: list[Product]
    refused: list[Suppressed]


def build_ladder(products: Iterable[Product], policy: Policy) -> Ladder:
    """The ladder of a range's products; one without a price cannot be a rung."""
    priced = [(p.rung, p.price, p.sku, p) for p in products if p.price is not None]
    priced.sort(key=lambda entry: entry[:3])
    rungs = tuple(product for *_, product in priced)
    features = sorted({name for product in rungs for name in product.features})
    grid = tuple(
        Rung(sku, rung, price, {name: product.features.get(name, False) for name in features})
        for rung, price, sku, product in priced
    )
    levels = tuple(product.rung for product in rungs)
    variants = tuple(name for name in policy.kept_features if _varies(rungs, name))
    once = {product.sku: product.rung for product in rungs if needed_once(product, policy)}
    return Ladder(rungs, grid, levels, variants, once or NOTHING_ONCE)


def _varies(rungs: tuple[Product, ...], feature: str) -> bool:
    """Whether products of one and the same rung differ in a feature."""
    return any(
        len({product.features.get(feature) for product in level}) > 1
        for _, level in groupby(rungs, key=lambda product: product.rung)
    )


def climb(
    held: Product,
    line_price: int,
    ladder: Ladder,
    basket: Basket,
    cart: Container[str],
    policy: Policy,
    now_ms: int,
    most: int = 1,
    had: int | None = None,
    orders_say: Callable[[str], str | None] | None = None,
) -> Climb:
    """The lowest `most` rungs strictly above `held` that may be offered for a line of this price.

    Relevance ties between products of one rung: the larger margin wins, then the lower price, then the SKU.
    An equal price is a step of 0 and fine (a tastier dish at the same price); a cheaper rung is no upsell. Up to the
    rung `had` the customer has them already. `orders_say` names the code by which orders speak against a SKU; it is
    asked last, of what would be offered without it.
    """
    refused: list[Suppressed] = []
    rungs: list[Product] = []
    above = ladder.above(held)
    for product in above:
        if len(rungs) == most and product.rung > rungs[-1].rung:
            break
        if had is not None and product.rung <= had:
            code: str | None = ALREADY_OWNED
        else:
            code = _step_refusal(product, line_price, basket, cart, policy, now_ms)
            if code is None and orders_say is not None:
                code = orders_say(product.sku)
        if code is not None:
            refused.append(Suppressed(product.sku, code))
        elif not rungs or product.rung > rungs[-1].rung:
            rungs.append(product)
        elif product.margin() > rungs[-1].margin():  # sorted by price and SKU already
            rungs[-1] = product
    if not above:
        refused.extend([Suppressed(product.sku, LOWER_RUNG) for product in ladder.below(held)[-1:]])
    return Climb(rungs, refused)


def _step_refusal(
    product: Product, line_price: int, basket: Basket, cart: Container[str], policy: Policy, now_ms: int
) -> str | None:
    """The code that speaks against taking this higher rung instead of a line of `line_price`."""
    if product.sku in cart:
        return IN_CART
    if basket.timing != "in_basket" and not product.is_service:  # goods are not exchanged after the order
        return WRONG_TIMING
    code = refusal(product.sku, product, basket, policy, now_ms)
    if code is not None:
        return code
    price = product.price or 0
    if price < line_price:
        return LOWER_RUNG
    most = policy.max_step if basket.max_step is None else min(policy.max_step, basket.max_step)
    return STEP_TOO_HIGH if price > line_price * most else None


def fare_grid(ladder: Ladder, held: Product, offered: Product, most: int) -> list[Rung]:
    """Every rung of the range that is sold, against every feature of the range: false is not included.

    Of a range with several variants only the line's is drawn; of a very long one the part up to the offer.
    """
    shown = [
        (product.sku, column)
        for product, column in ladder.drawn(held)
        if product.currency == offered.currency
        and (product.sku == held.sku or (product.active and not product.delisted))
    ]
    skus = [sku for sku, _ in shown]
    line = skus.index(held.sku) if held.sku in skus else 0
    start = max(0, min(line, len(shown) - most), skus.index(offered.sku) + 1 - most)
    return [column for _, column in shown[start : start + most]]


def features_gained(held: Product, offered: Product) -> list[str]:
    """Names of the features that the offered rung adds or betters, sorted.

    A feature is gained when it becomes included, when its number grows, or when its text is another one:
    on a higher rung of the same range another text is the better one ("sea view").
    """
    return sorted(
        name for name, value in offered.features.items() if _better(held.features.get(name, False), value)
    )


def features_lost(held: Product, offered: Product) -> list[str]:
    """Names of the features that the line has and the offered rung does not include, sorted."""
    return sorted(
        name for name, value in held.features.items() if value is not False and not offered.features.get(name)
    )


def _better(before: FeatureValue, after: FeatureValue) -> bool:
    if isinstance(after, bool):
        return after and before is not True
    if isinstance(after, str) or isinstance(before, str):
        return before != after
    return after > before
