"""Which lines of a basket are offered a higher rung."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from stream.decisions.attribution import UPSELL, Place, step_band, tier_word
from stream.decisions.codes import UPSELL_CAP
from stream.decisions.ladder import Ladder, climb
from stream.decisions.model import Basket, Product
from stream.decisions.policy import Policy
from stream.events import Suppressed


class Upsell(Struct, frozen=True, gc=False):
    """`offered` instead of the line with `held`, for `price_step` more than the line costs."""

    held: Product
    offered: Product
    ladder: Ladder
    price_step: int
    score: float

    def place(self, tier: str) -> Place:
        """What an offer of it to this tier is counted under."""
        price = self.offered.price or 0
        band = step_band(price - self.price_step, price)
        return Place(UPSELL, band, tier_word(tier), self.held.range_id or "")


class Upsells(Struct, frozen=True, gc=False):
    """The upsells of one decision, best first, and the rungs refused on the way."""

    chosen: tuple[Upsell, ...] = ()
    refused: tuple[Suppressed, ...] = ()


NO_UPSELLS = Upsells()


def line_prices(basket: Basket) -> dict[str, int]:
    """Price of each distinct SKU of the basket; of one that is there at several prices, the highest."""
    prices = {line.sku: line.unit_price for line in basket.lines}
    if len(prices) < len(basket.lines):
        for line in basket.lines:
            if line.unit_price > prices[line.sku]:
                prices[line.sku] = line.unit_price
    return prices


def choose_upsells(
    basket: Basket,
    prices: Mapping[str, int],
    ranged: Iterable[Product],
    ladders: Mapping[str, Ladder],
    policy: Policy,
    now_ms: int,
) -> Upsells:
    """At most one rung for each of the lines that stand in a range, and `policy.max_upsells` in all.

    The score is line price / rung price: of several possible upsells that of the product looked at stands
    first, then the smallest relative step, ties going to the larger gain in margin, then to the SKU.
    """
    found: list[Upsell] = []
    refused: list[Suppressed] = []
    for held in ranged:
        ladder = ladders.get(held.range_id or "")
        if ladder is None:
            continue
        line_price = prices[held.sku] or _catalogue_price(held, basket)
        step = climb(held, line_price, ladder, basket, prices, policy, now_ms)
        refused.extend(step.refused)
        if step.offered is not None:
            found.append(_upsell(held, step.offered, ladder, line_price))
    found.sort(key=_best_first)
    if basket.viewing is not None:
        found.sort(key=lambda up: up.held.sku != basket.viewing)
    return _within_cap(found, refused, min(policy.max_upsells, policy.wanted(basket.max_offers)))


def _within_cap(found: list[Upsell], refused: list[Suppressed], most: int) -> Upsells:
    """The first `most` of them; the others are refused."""
    if not found:
        return Upsells((), tuple(refused))
    chosen: dict[str, Upsell] = {}
    for up in found:
        if up.offered.sku in chosen:  # two lines, one better product: offered once
            continue
        if len(chosen) < most:
            chosen[up.offered.sku] = up
        else:
            refused.append(Suppressed(up.offered.sku, UPSELL_CAP))
    return Upsells(tuple(chosen.values()), tuple(r for r in refused if r.sku not in chosen))


def _best_first(up: Upsell) -> tuple[float, int, str, str]:
    return -up.score, up.held.margin() - up.offered.margin(), up.offered.sku, up.held.sku


def _upsell(held: Product, offered: Product, ladder: Ladder, line_price: int) -> Upsell:
    price = offered.price or 0
    score = round(line_price / price, 9) if price else 1.0
    return Upsell(held, offered, ladder, price - line_price, score)


def _catalogue_price(held: Product, basket: Basket) -> int:
    """What the catalogue asks for a line whose source knows no prices; 0 when it does not know either."""
    return held.price if held.price is not None and held.currency == basket.currency else 0
