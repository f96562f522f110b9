"""What the engine would offer: the decision core, on views made from counts in memory.

The views are those a worker reads from the tables, by the same rules, what its sample of orders says included; a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from stream.decisions.assortment import Assortment
from stream.decisions.candidates import rungs_above
from stream.decisions.complements import Complements
from stream.decisions.decide import decide_batch
from stream.decisions.fitted_rows import FittedWeights, fitted_rows, with_baseline
from stream.decisions.habits import Habits, own_rows
from stream.decisions.ladder import build_ladder
from stream.decisions.ladders import Ladders
from stream.decisions.lines import UNJUDGED, Lines, line_view
from stream.decisions.model import Basket, Product, product_of
from stream.decisions.neighbours import NeighbourRow, neighbour_rows
from stream.decisions.order_sample import OrderSample
from stream.decisions.policy import Policy
from stream.decisions.popularity import may_speak, popular_row
from stream.decisions.sampled import said_of, sampled_rows
from stream.decisions.scorers import FITS, Scorer
from stream.decisions.selection import TOP
from stream.decisions.substitutes import judged
from stream.decisions.views import Shopper, Views
from stream.evaluation.neighbourhoods import Neighbourhoods
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.said import SaidLine, said_by
from stream.evaluation.sampling import TIER, RecentOrders
from stream.events import Line
from stream.history.catalogue import CatalogItem
from stream.history.events import product_event
from stream.suggestion import Offer
from stream.tables.ids import sku_id

CHANNEL, CUSTOMER = "web", "customer"
Integers = npt.NDArray[np.int64]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Decider:
    """Decides baskets of SKUs that are numbered in the order of their names."""

    def __init__(
        self,
        counts: PairCounts,
        neighbourhoods: Neighbourhoods,
        skus: Sequence[str],
        policy: Policy,
        catalogue: Sequence[CatalogItem],
        currency: str,
        recent: RecentOrders | None = None,
    ) -> None:
        self._counts, self._neighbourhoods, self._policy = counts, neighbourhoods, policy
        self._without_upsells = replace(policy, max_upsells=0)
        self._currency, self._complements = currency, Complements(policy)
        products = {item.sku: product_of(product_event(item, currency, LONG_AGO)) for item in catalogue}
        self._skus = [*skus, *sorted(products.keys() - set(skus))]
        self._index = {sku: item for item, sku in enumerate(self._skus)}
        self._ordered = len(skus)
        self._goods = Assortment()
        for sku in self._skus:
            self._goods.add(sku, products.get(sku))
        self._ladders = _ladders(list(products.values()), policy)
        self._idents = [sku_id(sku) for sku in self._skus]
        self._by_ident = {ident: item for item, ident in enumerate(self._idents)}
        self._category_of = {
            sku_id(product.sku): product.category[-1] for product in products.values() if product.category
        }
        self._recent = recent
        self._sample, self._sampled_at = OrderSample(), 0

    def offers(
        self,
        lines: Sequence[int],
        scorer: Scorer,
        habits: Habits | None,
        at_ms: int,
        *,
        measured: bool,
        most: int = TOP,
        channel: str = CHANNEL,
    ) -> list[int]:
        """What a worker would offer beside these lines, best first, by number of the SKU.

        What takes a line's place takes none of these: so many offers more are asked for. It is offered all the same,
        and stands where it would, were it added; where it would not be, it is no answer to the question what else was
        bought. What is only in the catalogue counts as an offer, too: numbers go on behind those of what is ordered.
        """

        def ask(most: int, policy: Policy) -> list[Offer]:
            return self.decide(
                *(lines, scorer, habits, at_ms),
                measured=measured,
                most=most,
                channel=channel,
                policy=policy,
            )

        offers = ask(most, self._policy)
        if instead := {offer.sku for offer in offers if offer.replaces_sku is not None}:
            offers = ask(most + len(instead), self._policy)
        added = [offer.sku for offer in offers if offer.replaces_sku is None]
        if instead:
            for place, offer in enumerate(ask(most, self._without_upsells)):
                if offer.sku in instead:
                    added.insert(place, offer.sku)
        return [self._index[sku] for sku in added[:most]]

    def decide(
        self,
        lines: Sequence[int],
        scorer: Scorer,
        habits: Habits | None,
        at_ms: int,
        *,
        measured: bool,
        most: int = TOP,
        channel: str = CHANNEL,
        policy: Policy | None = None,
    ) -> list[Offer]:
        """The offers of the decision core; a customer with these habits asks for so many."""
        basket = Basket(
            suggestion_id="",
            basket_id="",
            channel=channel,
            currency=self._currency,
            lines=[Line(self._skus[line], 1, self._price(line)) for line in lines],
            tier=TIER,
            max_offers=most,
            at_ms=at_ms,
            customer=None if habits is None else CUSTOMER,
        )
        views = self._views(lines, scorer, habits, measured, channel)
        return decide_batch([basket], views, policy or self._policy, at_ms)[0].offers

    def _price(self, item: int) -> int:
        product = self._goods.products[item]
        return 0 if product is None else product.price or 0

    def _views(
        self, lines: Sequence[int], scorer: Scorer, habits: Habits | None, measured: bool, channel: str
    ) -> Views:
        products, counts = self._goods.products, self._counts
        ranged = [p for line in lines if (p := products[line]) is not None and p.range_id is not None]
        rungs = [self._index[sku] for sku in rungs_above(ranged, self._ladders)]
        heads = np.array(self._neighbourhoods.heads(), np.int64)
        self._look_at_sample()
        popular = {}
        if len(heads) and may_speak(scorer, self._policy, measured):
            popular[channel, TIER] = self._popular(scorer, heads, channel)
        shoppers = {}
        if habits is not None:
            own = own_rows(scorer, [habits], counts.total)[0] if scorer.own else None
            shoppers[CUSTOMER] = Shopper(own, habits.rhythms, habits)
        return Views(
            items=self._index,
            lines=self._line_views(list(dict.fromkeys([*lines, *rungs])), scorer),
            assortment=self._goods,
            shoppers=shoppers,
            popular=popular,
            policy=self._policy,
            scorer=scorer.name,
        )

    def _look_at_sample(self) -> None:
        """Draw the sample anew when the most ordered items were counted again, as the workers' fitter does."""
        counted = self._neighbourhoods.heads_counted
        if self._recent is not None and counted != self._sampled_at:
            self._sample = self._recent.summary(self._idents, self._category_of)
            self._sampled_at = counted

    def _popular(self, scorer: Scorer, heads: Integers, channel: str) -> NeighbourRow:
        """The row of what is ordered most, on this channel where the sample holds enough of its orders."""
        counts, found = self._counts, self._sample.segment(channel, TIER)
        if found is None:
            return popular_row(scorer, heads, counts.orders[heads], counts.total)
        name, segment = found
        items = np.array([self._by_ident[ident] for ident, _ in segment.heads], np.int64)
        held = np.array([count for _, count in segment.heads], np.int64)
        return popular_row(scorer, items, held, segment.orders, name, of_total=counts.total)

    def _sampled(
        self, lines: Sequence[int], learned: Mapping[int, NeighbourRow], scorer: Scorer
    ) -> dict[int, tuple[NeighbourRow, ...]]:
        """What the sample says of lines that few or no orders speak for."""
        goods, least = self._goods.products, self._policy.min_together
        said = [
            one
            for line in (lines if scorer.claims_association else ())
            for one in said_of(self._sample, line, self._idents[line], learned.get(line), goods[line], least)
        ]
        return sampled_rows(
            said, np.array([self._by_ident[i] for one in said for i, _ in one.heads], np.int64)
        )

    def _line_views(self, lines: Sequence[int], scorer: Scorer) -> Lines:
        ordered, counts = [line for line in lines if line < self._ordered], self._counts
        said = self._neighbourhoods.said(ordered)
        learned = dict(zip(ordered, self._learned(ordered, said, scorer), strict=True))
        judgements = {
            line: judged(
                *(line, each.orders, each.partners, each.together),
                *(self._goods, counts.orders, counts.total),
            )
            for line, each in zip(ordered, said, strict=True)
        }
        sampled = self._sampled(lines, learned, scorer)
        views = Lines(ladders=self._ladders)
        for line in lines:
            sku, product = self._skus[line], self._goods.products[line]
            named, row = self._complements.row(sku, product, self._index, self._boost), learned.get(line)
            judgement = judgements.get(line, UNJUDGED)
            views.put(sku, line_view(line, row, named, product, sampled.get(line, ()), judgement))
        return views

    def _boost(self, item: int) -> float:
        product = self._goods.products[item]
        return self._policy.boost(self._skus[item], () if product is None else product.category)

    def _learned(self, lines: Sequence[int], said: Sequence[SaidLine], scorer: Scorer) -> list[NeighbourRow]:
        """The rows of what these lines were bought with, by a scorer."""
        counts, policy = self._counts, self._policy
        none = np.zeros(0, np.int64)
        partners = np.concatenate([none, *(each.partners for each in said)])
        rows = neighbour_rows(
            lines,
            [each.orders for each in said],
            np.cumsum([0, *(len(each.partners) for each in said)]),
            partners.astype(np.int32),
            np.concatenate([none, *(each.together for each in said)]),
            counts.orders[partners],
            counts.total,
            policy,
        )
        if not scorer.claims_association:
            return [replace(row, elements=b"") for row in rows]
        return self._by_fits(rows, said, scorer) if scorer.weights in FITS else rows

    def _by_fits(
        self, rows: Sequence[NeighbourRow], lines: Sequence[SaidLine], scorer: Scorer
    ) -> list[NeighbourRow]:
        """The rows by the fits of the lines that have one."""
        fitted = [
            (row, line, line.fit) for row, line in zip(rows, lines, strict=True) if line.fit is not None
        ]
        said = said_by([line for _, line, _ in fitted])
        weights = FittedWeights(
            bounds=np.cumsum([0, *(len(fit.items) for *_, fit in fitted)]),
            items=said.neighbours,
            together=said.met,
            weights=with_baseline(said.fits[scorer.weights], said.now, said.fit_orders, scorer, self._policy),
            orders=self._counts.orders[said.neighbours],
        )
        made = fitted_rows([row for row, *_ in fitted], weights, scorer, self._policy.min_together)
        of_item = {row.item: row for row in made}
        return [of_item.get(row.item, row) for row in rows]


def _ladders(products: Sequence[Product], policy: Policy) -> Ladders:
    members: dict[str, list[Product]] = {}
    for product in products:
        if product.range_id is not None:
            members.setdefault(product.range_id, []).append(product)
    return Ladders({name: build_ladder(tuple(held), policy) for name, held in members.items()})
