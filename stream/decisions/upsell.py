"""Which lines of a basket are offered a higher rung, and which one.

Before anything was counted of the ranges in the basket the next rung is offered, and of several lines the smallest
relative step. Once offers were shown or shoppers moved within one of them, the expected value decides: P(accept) times
what the step brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import Struct

from stream.decisions.acceptance import Acceptance, Estimate
from stream.decisions.attribution import UPSELL, Place, step_band, tier_word
from stream.decisions.codes import OUTBID, UNLIKELY, UPSELL_CAP
from stream.decisions.ladder import Climb, Ladder, climb
from stream.decisions.model import Basket, Product
from stream.decisions.owned import highest_had
from stream.decisions.policy import Policy
from stream.decisions.substitutes import spoken_against
from stream.decisions.views import Shopper, Views
from stream.suggestion import Suppressed


class Upsell(Struct, frozen=True, gc=False):
    """`offered` instead of the line with `held`, for `price_step` more than the line costs.

    `estimate` is P(accept) and what it rests on, None while nothing was counted in this shop.
    """

    held: Product
    offered: Product
    ladder: Ladder
    price_step: int
    score: float
    estimate: Estimate | None = None

    def place(self, tier: str) -> Place:
        """What an offer of it to this tier is counted under."""
        price = self.offered.price or 0
        band = step_band(price - self.price_step, price)
        return Place(UPSELL, band, tier_word(tier), self.held.range_id or "")

    @property
    def brings(self) -> int:
        """What the step brings, minor units: margin where both costs are known, else money."""
        if self.held.cost is None or self.offered.cost is None:
            return self.price_step
        return self.price_step - (self.offered.cost - self.held.cost)

    @property
    def expected(self) -> float:
        """The expected value, minor units; 0 without an estimate."""
        return 0.0 if self.estimate is None else self.estimate.chance * self.brings


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
    views: Views,
    policy: Policy,
    now_ms: int,
    at_most: int | None = None,
    shopper: Shopper | None = None,
) -> Upsells:
    """At most one rung for each of the lines that stand in a range, and `policy.max_upsells` in all, or `at_most`.
    None that the shopper has already, and none that orders speak against.

    The score is line price / rung price. Of several possible upsells that of the product looked at stands first, then
    the largest expected value where something was counted of one of the ranges, then the smallest relative step, ties
    going to the larger gain in margin, then to the SKU.
    """
    found: list[Upsell] = []
    refused: list[Suppressed] = []
    acceptance, known = views.acceptance, False
    for held in ranged:
        ladder = views.ladders.get(held.range_id or "")
        if ladder is None:
            continue
        line_price = prices[held.sku] or _catalogue_price(held, basket)
        counted = bool(acceptance) and acceptance.knows(held.range_id or "")
        most = len(ladder.rungs) if counted else 1
        had = None
        if ladder.once and shopper is not None and shopper.habits is not None:
            had = highest_had(shopper.habits, ladder, views.skus)
        step = climb(held, line_price, ladder, basket, prices, policy, now_ms, most, had)
        if step.rungs and not policy.trust_ranges:  # most lines have no rung to ask orders about
            say = partial(spoken_against, held.sku, ladder=ladder, lines=views.lines)
            step = climb(held, line_price, ladder, basket, prices, policy, now_ms, most, had, say)
        refused.extend(step.refused)
        if step.rungs and acceptance:
            known |= counted
            up = _best_rung(held, line_price, ladder, step, basket.tier, policy, acceptance, refused)
            if up is not None:
                found.append(up)
        elif step.rungs:
            found.append(_upsell(held, step.rungs[0], ladder, line_price))
    found.sort(key=_most_expected if known else _best_first)
    if basket.viewing is not None:
        found.sort(key=lambda up: up.held.sku != basket.viewing)
    return _within_cap(found, refused, min(policy.max_upsells, policy.wanted(basket.max_offers)), at_most)


def _best_rung(
    held: Product,
    line_price: int,
    ladder: Ladder,
    step: Climb,
    tier: str,
    policy: Policy,
    acceptance: Acceptance,
    refused: list[Suppressed],
) -> Upsell | None:
    """The rung of the largest expected value, the lowest of several; those nobody takes are refused.

    The prior falls with the square of the step, so that without evidence of its own no rung beats the next one.
    """
    best: Upsell | None = None
    next_step = (step.rungs[0].price or 0) - line_price
    for rung in step.rungs:
        plain = _upsell(held, rung, ladder, line_price)
        rarer = (next_step / plain.price_step) ** 2 if plain.price_step else 1.0
        estimate = acceptance.estimate_step(
            plain.place(tier), held.rung, policy.accept_prior, min(rarer, 1.0)
        )
        if estimate.scope_trials >= policy.accept_trials and estimate.chance < policy.min_accept:
            refused.append(Suppressed(rung.sku, UNLIKELY))
            continue
        up = Upsell(held, rung, ladder, plain.price_step, plain.score, estimate)
        if best is None or up.expected > best.expected:
            best = up
    return best


def _within_cap(found: list[Upsell], refused: list[Suppressed], most: int, at_most: int | None) -> Upsells:
    """The first `most` of them, or `at_most` where others outbid the rest; those beyond are refused."""
    if not found:
        return Upsells((), tuple(refused))
    chosen: dict[str, Upsell] = {}
    room = most if at_most is None else min(most, at_most)
    passed = 0
    for up in found:
        if up.offered.sku in chosen:  # two lines, one better product: offered once
            continue
        if len(chosen) < room:
            chosen[up.offered.sku] = up
        else:
            refused.append(Suppressed(up.offered.sku, OUTBID if room + passed < most else UPSELL_CAP))
            passed += 1
    return Upsells(tuple(chosen.values()), tuple(r for r in refused if r.sku not in chosen))


def _best_first(up: Upsell) -> tuple[float, int, str, str]:
    return -up.score, up.held.margin() - up.offered.margin(), up.offered.sku, up.held.sku


def _most_expected(up: Upsell) -> tuple[float, float, int, str, str]:
    return -up.expected, *_best_first(up)


def _upsell(held: Product, offered: Product, ladder: Ladder, line_price: int) -> Upsell:
    price = offered.price or 0
    score = round(line_price / price, 9) if price else 1.0
    return Upsell(held, offered, ladder, price - line_price, score)


def _catalogue_price(held: Product, basket: Basket) -> int:
    """What the catalogue asks for a line whose source knows no prices; 0 when it does not know either."""
    return held.price if held.price is not None and held.currency == basket.currency else 0
