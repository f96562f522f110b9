"""A shop on paper: products and order counts written down, views made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from stream.decisions.assortment import Assortment
from stream.decisions.complements import Complements
from stream.decisions.decide import decide_batch
from stream.decisions.ladder import build_ladder
from stream.decisions.ladders import Ladders
from stream.decisions.lines import Lines, line_view
from stream.decisions.model import Basket, BasketLine, Decision, Product
from stream.decisions.neighbours import neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.substitutes import judged
from stream.decisions.views import Views

NOW_MS = 1_767_225_600_000
POLICY = Policy()
ORDERS = 10**6


def product(sku: str, price: int | None = 1000, **more: object) -> Product:
    given = {"title": sku.capitalize(), "currency": "EUR", **more}
    return Product(sku=sku, price=price, **given)  # type: ignore[arg-type]


SHELVES = [
    product("coffee", 600, category=("pantry",)),
    product("filters", 200, category=("pantry",)),
    product("milk", 100, range_id="milk", rung=1),
    product("cream", 150, range_id="milk", rung=1),
    product("tea", 400),
]
NO_PARTNERS = (np.zeros(0, np.int64), np.zeros(0, np.int64))
PAIRS = {("bread", "milk"): 40, ("bread", "coffee"): 30}
"""A grocer: what is known of its products, and the orders that held both of two."""


def rung(sku: str, step: int, price: int, **more: object) -> Product:
    """A product of the one range of a small shop."""
    return product(sku, price, range_id="range", rung=step, **more)


def basket(*lines: str | tuple[str, int], **more: object) -> Basket:
    """A basket of SKUs, or of (SKU, unit price); a SKU alone has no price."""
    parts = [(line, 0) if isinstance(line, str) else line for line in lines]
    given = {"suggestion_id": "s-1", "basket_id": "b-1", "channel": "web", "currency": "EUR", **more}
    return Basket(lines=[BasketLine(sku, 1, price) for sku, price in parts], **given)  # type: ignore[arg-type]


def views(
    products: Iterable[Product] = (),
    together: Mapping[tuple[str, str], int] | None = None,
    orders: Mapping[str, int] | None = None,
    *,
    total: int = ORDERS,
    policy: Policy = POLICY,
    numbering: Sequence[str] = (),
) -> Views:
    """Views of a shop in which `together` counts orders that held both, and `orders` (default 100) each SKU.

    `numbering` says which SKUs are numbered first: no decision may depend on it.
    """
    known = {entry.sku: entry for entry in products}
    counts: dict[str, dict[str, int]] = {}
    for (a, b), count in (together or {}).items():
        counts.setdefault(a, {})[b] = count
        counts.setdefault(b, {})[a] = count
    others = {sku for entry in known.values() for sku, _ in entry.complements}
    others |= {sku for entry in policy.complements for sku in (entry.of, entry.sku)} | set(policy.pinned())
    skus = list(dict.fromkeys([*numbering, *sorted({*known, *counts, *others})]))
    index = {sku: n for n, sku in enumerate(skus)}
    lists = [(sku, sorted(counts[sku].items(), key=lambda e: (-e[1], e[0]))) for sku in skus if sku in counts]
    flat = [entry for _, partners in lists for entry in partners]
    held = orders or {}
    boosts = np.array([policy.boost(sku, known[sku].category if sku in known else ()) for sku in skus])
    rows = neighbour_rows(
        [index[sku] for sku, _ in lists],
        [held.get(sku, 100) for sku, _ in lists],
        np.cumsum([0, *(len(partners) for _, partners in lists)]),
        np.array([index[sku] for sku, _ in flat], np.int32),
        np.array([count for _, count in flat], np.int64),
        np.array([held.get(sku, 100) for sku, _ in flat], np.int64),
        total,
        policy,
        boosts[[index[sku] for sku, _ in flat]],
    )
    by_range: dict[str, list[Product]] = {}
    for entry in known.values():
        if entry.range_id is not None:
            by_range.setdefault(entry.range_id, []).append(entry)
    assortment = Assortment()
    for sku in skus:
        assortment.add(sku, known.get(sku))
    learned = {row.item: row for row in rows}
    partners = {
        sku: (
            np.array([index[other] for other, _ in of_sku], np.int64),
            np.array([count for _, count in of_sku], np.int64),
        )
        for sku, of_sku in lists
    }
    counted = np.array([held.get(sku, 100) for sku in skus], np.int64)
    named, factors = Complements(policy), boosts.tolist()
    return Views(
        items=index,
        lines=Lines(
            {
                sku: line_view(
                    item,
                    learned.get(item),
                    named.row(sku, known.get(sku), index, factors.__getitem__),
                    known.get(sku),
                    judged=judged(
                        *(item, int(counted[item]), *partners.get(sku, NO_PARTNERS)),
                        *(assortment, counted, total),
                    ),
                )
                for sku, item in index.items()
            },
            Ladders({name: build_ladder(entries, policy) for name, entries in by_range.items()}),
        ),
        assortment=assortment,
        pins={sku: index[sku] for sku in policy.pinned()},
    )


def decide(one: Basket, known: Views, policy: Policy = POLICY, now_ms: int = NOW_MS) -> Decision:
    return decide_batch([one], known, policy, now_ms)[0]


def offered(decision: Decision, kind: str | None = None) -> list[str]:
    return [offer.sku for offer in decision.offers if kind in (None, offer.kind)]


def codes(decision: Decision) -> dict[str, str]:
    return {entry.sku: entry.code for entry in decision.suppressed}
