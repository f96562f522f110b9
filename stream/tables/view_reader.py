"""Reads, once for a fetched batch of baskets, everything their decisions may know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream.decisions.candidates import rungs_above
from stream.decisions.model import Basket, Product
from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID, SERVED, Scorer
from stream.decisions.views import Views
from stream.tables.acceptance_reader import AcceptanceReader
from stream.tables.catalogue_reader import CatalogueReader
from stream.tables.complement_reader import ComplementReader
from stream.tables.count_reader import CountReader
from stream.tables.fit_reader import FitReader
from stream.tables.personal_reader import Heads, PersonalReader
from stream.tables.shared_reads import SharedReads
from stream.tables.tables import Tables
from stream.tables.view_cache import NEVER, Items, ViewCache

MOST_CACHED = 200_000
"""SKUs a worker remembers before it starts afresh: about 400 bytes each."""
MOST_LISTS = 50_000
"""Partner lists it remembers before it starts afresh: up to 5 kB each, with the rows made of them."""


class ViewReader:
    """Reads views through a worker-local cache, a handful of round trips a batch."""

    def __init__(self, tables: Tables, policy: Policy, *, max_age_s: float, scorer: Scorer = SERVED) -> None:
        self._tables, self._half_age_s = tables, max_age_s / 2
        self._policy = self._next_policy = policy
        self._complements = ComplementReader(policy)
        self._window_days = tables.window.days()
        self._catalogue = CatalogueReader(tables.catalogue, self._half_age_s)
        self._counts = CountReader(tables.neighbours)
        self._cache = self._empty_cache()
        self._reads = SharedReads(self._read)
        self._afresh = False
        tables.with_cache(self._forget)
        self._scorer = scorer
        self._chosen: str | None = None
        self._chosen_read_s = NEVER
        self._fits = FitReader(tables.fitted, scorer)
        self._personal = PersonalReader(tables, self._half_age_s)
        self._acceptance = AcceptanceReader(tables.acceptance, max_age_s)

    def use(self, policy: Policy) -> None:
        """Read for another policy, from the next read on; what was derived under the old one is forgotten."""
        self._next_policy = policy

    def serve(self, scorer: Scorer) -> None:
        """Let another scorer speak for the lines, from the next read on, until the tables name another one."""
        self._scorer = scorer
        self._fits.serve(scorer)
        self._forget()

    @property
    def half_age_s(self) -> float:
        """How long what was read is good for; lines and their candidates have half of the maximal age each."""
        return self._half_age_s

    @property
    def wanted(self) -> bool:
        """Whether a batch waits for its views."""
        return self._reads.under_way

    @property
    def cache(self) -> ViewCache:
        """What was read last; another read may put a new one in its place."""
        return self._cache

    def _forget(self) -> None:
        """Read everything again; not now, a read may be under way."""
        self._afresh = True
        self._acceptance.forget()

    def _empty_cache(self) -> ViewCache:
        return ViewCache(self._tables.layout.tags, self._half_age_s)

    async def read(self, baskets: Sequence[Basket], now_s: float, *, keep_back: bool = False) -> Views:
        """The views of these baskets; nothing in them is older than the maximal age at `now_s`.

        With `keep_back` nobody hears which SKUs need a fit before `release`: what is read just before an order is
        counted is better fitted after it.

        Batches that come while a read is under way share the next one. Raises StateUnavailable.
        """
        return await self._reads.read(baskets, now_s, keep_back)

    async def _look_at_scorer(self, now_s: float) -> None:
        """Serve by the scorer that the tables name; a name we do not know is that of another version's scorer."""
        if self._chosen_read_s > now_s - self._half_age_s:
            return
        chosen = await self._tables.scorers.serving()
        if chosen != self._chosen:
            self._chosen = chosen
            self.serve(next((scorer for scorer in GRID if scorer.name == chosen), SERVED))
        self._chosen_read_s = now_s

    async def _read(self, baskets: Sequence[Basket], now_s: float, *, keep_back: bool) -> Views:
        await self._look_at_scorer(now_s)
        await self._personal.look(now_s)
        full = len(self._cache.skus) > MOST_CACHED or len(self._cache.lists) > MOST_LISTS
        if full or self._afresh or self._policy is not self._next_policy:
            self._cache, self._policy = self._empty_cache(), self._next_policy
            self._catalogue.forget()
            self._afresh = False
            self._complements = ComplementReader(self._policy)
        skus = list({line.sku for basket in baskets for line in basket.lines})
        lines = np.array(self._cache.number(skus), np.int64)
        items = dict(zip(skus, lines.tolist(), strict=True))
        await self._catalogue.look(now_s)
        await self._acceptance.look(now_s)
        await self._read_products(lines)
        ranged = [p for line in lines.tolist() if (p := self._product(line)) and p.range_id is not None]
        await self._catalogue.read_ladders(self._cache, ranged, self._policy, self._number, now_s)
        rungs = self._cache.number(rungs_above(ranged, self._cache.lines.ladders))
        await self._read_candidates(np.concatenate([lines, np.array(rungs, np.int64)]), now_s, keep_back)
        pinned = self._policy.pinned()
        pins = dict(zip(pinned, self._cache.number(pinned), strict=True))
        await self._read_products(np.array(list(pins.values()), np.int64))
        heads = await self._read_personal(baskets, now_s)
        return self._views(items, pins, baskets, heads)

    async def _read_personal(self, baskets: Sequence[Basket], now_s: float) -> Heads:
        """What the baskets' customers bought, and the most ordered items: those that popularity speaks for."""
        cache, scorer, personal = self._cache, self._scorer, self._personal
        measured = self._chosen == scorer.name
        bought = await personal.read_diaries(cache, baskets, scorer, self._number, now_s)
        heads = await personal.read_heads(baskets, scorer, self._policy, measured, self._number)
        if len(bought) or len(heads.shop):
            await self._read_products(np.concatenate([bought, heads.items]))
        if len(heads.shop):
            await self._counts.read_orders(cache, heads.shop, now_s)
            cache.total_orders = cache.total_orders or await self._tables.neighbours.total_orders()
        return heads

    async def _read_products(self, items: Items) -> None:
        await self._catalogue.read_products(self._cache, items)

    def _product(self, item: int) -> Product | None:
        return self._cache.assortment.products[item]

    def _boost(self, item: int) -> float:
        product = self._product(item)
        return self._policy.boost(self._cache.skus[item], () if product is None else product.category)

    def _views(
        self, items: dict[str, int], pins: dict[str, int], baskets: Sequence[Basket], heads: Heads
    ) -> Views:
        cache, scorer, personal = self._cache, self._scorer, self._personal
        return Views(
            items=items,
            lines=cache.lines,
            assortment=cache.assortment,
            pins=pins,
            shoppers=personal.shoppers(cache, baskets, scorer, self._boosts),
            popular=personal.popular(cache, baskets, heads, scorer, self._boosts),
            acceptance=self._acceptance.known,
            policy=self._policy,
            scorer=self._scorer.name,
            window_days=self._window_days,
        )

    async def _read_candidates(self, lines: Items, now_s: float, keep_back: bool) -> None:
        """Partner lists with the order counts they are weighed by, complements, and the products of both.

        Candidates are looked at when their line is: half the maximal age for the line and half for them.
        """
        cache = self._cache
        stale = cache.lists_read.stale(lines, now_s)
        if not len(stale):
            return
        packed, fits, total = await asyncio.gather(
            self._tables.neighbours.read([cache.idents[item] for item in stale]),
            self._fits.read(cache, stale.tolist()),
            self._tables.neighbours.total_orders(),
        )
        await self._counts.keep_lists(cache, stale.tolist(), packed, self._number)
        await self._fits.keep(cache, stale.tolist(), fits, self._number, keep_back=keep_back)
        partners = np.concatenate([cache.candidates_of(item) for item in stale.tolist()])
        await asyncio.gather(
            self._counts.read_orders(cache, partners, now_s),
            self._read_products(np.concatenate([partners, self._complements.companions(cache, stale)])),
        )
        cache.total_orders = total
        outdated = cache.outdated(stale)
        if outdated:
            self._counts.derive(cache, outdated, self._policy, self._boosts)
            self._fits.derive(cache, outdated, self._policy, self._boosts)
            cache.derived(outdated)
        unnamed = cache.unnamed(stale)
        self._complements.name(cache, unnamed, self._boost)
        cache.look_again({*outdated, *unnamed})
        await self._read_sampled(stale.tolist())
        # Emptied tables look like a shop without orders: nothing is answered from them unnoticed.
        await self._tables.check()
        cache.lists_read.read(stale, now_s)

    async def _read_sampled(self, lines: Sequence[int]) -> None:
        """What the sample says of lines that few or no orders speak for."""
        cache, held = self._cache, self._cache.sampled
        before = held.keys() & lines
        read = self._personal.read_sampled
        named = await read(cache, lines, self._scorer, self._policy, self._number)
        if len(named):
            await self._read_products(named)
        cache.look_again(before | (held.keys() & lines))

    def release(self) -> None:
        """Let the fitter hear of what was kept back."""
        self._fits.release()

    def noted(self) -> set[bytes]:
        """The ids of SKUs that were seen to need a fit since the last call."""
        return self._fits.noted()

    def _boosts(self, items: Items) -> npt.NDArray[np.float64] | None:
        """The policy's factors on these items; None when it has none."""
        if not (self._policy.boosts or self._policy.category_boosts):
            return None
        return np.array([self._boost(item) for item in items.tolist()], np.float64)

    async def _number(self, idents: Sequence[bytes]) -> Items:
        unknown = [ident for ident in idents if ident not in self._cache.by_ident]
        names = await self._tables.dictionary.names(unknown) if unknown else {}
        return self._cache.number_idents(idents, names)
