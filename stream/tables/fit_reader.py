"""Reads fitted rows into a worker's cache, derives the rows of lines from them, and notes who needs a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from stream.decisions.fitted_rows import (
    NO_PARTNER,
    FittedWeights,
    Listed,
    fitted_rows,
    partner_counts,
    with_baseline,
)
from stream.decisions.policy import Policy
from stream.decisions.precision import is_stale
from stream.decisions.scorers import FITS, Scorer
from stream.tables.fitted import FittedRows
from stream.tables.fitted_row import fitted_at, unpack
from stream.tables.view_cache import Boosts, FitList, Items, Number, ViewCache


class FitReader:
    """What a scorer says of lines whose weights were fitted; the baseline speaks for the others."""

    def __init__(self, table: FittedRows, scorer: Scorer) -> None:
        self._table = table
        self._noted: set[bytes] = set()
        self._kept_back: set[bytes] = set()
        self.serve(scorer)

    async def read(self, cache: ViewCache, lines: Sequence[int]) -> list[bytes]:
        """The packed rows of these lines. Raises StateUnavailable."""
        return await self._table.read([cache.idents[line] for line in lines])

    async def keep(
        self,
        cache: ViewCache,
        lines: Sequence[int],
        packed: Sequence[bytes],
        number: Number,
        *,
        keep_back: bool = False,
    ) -> None:
        """Keep the rows that changed, and note the lines whose orders outgrew theirs.

        With `keep_back` the notes are given out after the next `release` only.
        """
        noted = self._kept_back if keep_back else self._noted
        changed = []
        for line, raw in zip(lines, packed, strict=True):
            if is_stale(fitted_at(raw), cache.lists[line].orders):
                noted.add(cache.idents[line])
            held = cache.fits.get(line)
            if (b"" if held is None else held.raw) != raw:
                cache.outdate(line)
                if raw:
                    changed.append((line, raw))
                else:
                    del cache.fits[line]
        rows = [unpack(raw) for _, raw in changed]
        numbers = await number([ident for row in rows for ident in row.neighbours])
        start = 0
        for (line, raw), row in zip(changed, rows, strict=True):
            items = numbers[start : start + len(row.neighbours)]
            known = items >= 0
            cache.fits[line] = FitList(raw, items[known], row.together[known], row.weights[:, known])
            start += len(row.neighbours)

    def serve(self, scorer: Scorer) -> None:
        """Let another scorer speak, in rows that are derived from now on."""
        self._scorer = scorer
        self._fit = list(FITS).index(scorer.weights) if scorer.weights in FITS else None

    def derive(self, cache: ViewCache, lines: Sequence[int], policy: Policy, boosts: Boosts) -> None:
        """Put what the scorer says in the place of the baseline rows of lines."""
        if not self._scorer.claims_association:
            for line in lines:
                cache.learned[line] = replace(cache.learned[line], elements=b"")
        if self._fit is None:
            return
        fitted = [line for line in lines if line in cache.fits]
        if fitted:
            weights = self._weights(cache, fitted, policy, self._fit)
            weights = weights._replace(boosts=boosts(weights.items))
            baselines = [cache.learned[line] for line in fitted]
            rows = fitted_rows(baselines, weights, self._scorer, policy.min_together)
            cache.learned.update(zip(fitted, rows, strict=True))

    def _weights(self, cache: ViewCache, lines: Sequence[int], policy: Policy, which: int) -> FittedWeights:
        """The fits of lines that have one, with the counts of now where a neighbour is one of the best partners."""
        fits, lists = [cache.fits[line] for line in lines], [cache.lists[line] for line in lines]
        items, partners = _listed([fit.items for fit in fits]), _listed([kept.partners for kept in lists])
        now = partner_counts(items, partners, np.concatenate([kept.counts for kept in lists]))
        weights = np.concatenate([fit.weights[which] for fit in fits])
        orders = np.array([kept.orders for kept in lists], np.int64)[items.lines]
        return FittedWeights(
            bounds=np.cumsum([0, *(len(fit.items) for fit in fits)]),
            items=items.items,
            together=np.where(now == NO_PARTNER, np.concatenate([fit.together for fit in fits]), now),
            weights=with_baseline(weights, now, orders, self._scorer, policy),
            orders=cache.order_counts[items.items],
        )

    def release(self) -> None:
        """Give out the notes that were kept back."""
        self._noted |= self._kept_back
        self._kept_back = set()

    def noted(self) -> set[bytes]:
        """The ids of SKUs that were seen to need a fit since the last call."""
        noted, self._noted = self._noted, set()
        return noted


def _listed(parts: Sequence[Items]) -> Listed:
    return Listed(np.repeat(np.arange(len(parts)), [len(part) for part in parts]), np.concatenate(parts))
