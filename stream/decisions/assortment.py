"""What is for sale: products by dense index, and in columns the little that is asked of thousands of them.

A ranking looks at a dozen candidates of every basket. What it asks of most of them (sold in this currency, on which
shelf, of which range) is one number, of which there are few; and what an offer says of its product is a label. Only
what is not plainly for sale is looked at as a product.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stream.decisions.attribution import AddedTokens
from stream.decisions.columns import NONE, Column
from stream.decisions.labels import Label, Labels
from stream.decisions.model import Product
from stream.identity import offer_tail


class Facts(NamedTuple):
    """`sale` is the number of the currency a product is for sale in whenever one asks, or `UNLISTED`, or
    `TO_BE_ASKED`; `shelf` that of its category, 0 where it has none. Numbers are given in the order of first use and
    mean nothing outside."""

    sale: int
    shelf: int


UNLISTED: Final = 0
"""In the place of a currency: the catalogue does not know the SKU."""

TO_BE_ASKED: Final = -1
"""In the place of a currency: not simply for sale, `eligibility.refusal` has to be asked."""

_UNLISTED_FACTS: Final = Facts(UNLISTED, 0)


class Assortment:
    """SKUs and their products by dense index; the product is None where the catalogue has none.

    `kinds` are the different facts there are, `sale_of` and `shelf_of` the same in columns, `scopes` the last name of
    the category of each ("" without one), and `kind_of` tells which are a product's. `range_of` is the number of its
    range, 0 without one, and `price_of` its price in minor units, `NONE` where that is not known. `labels` are what
    offers say.
    """

    def __init__(self) -> None:
        self.skus: list[str] = []
        self.products: list[Product | None] = []
        self.kinds: list[Facts] = [_UNLISTED_FACTS]
        self.scopes: list[str] = [""]
        self.sale_of, self.shelf_of = Column(np.int32, UNLISTED), Column(np.int32, 0)
        self.range_of, self.kind_of = Column(np.int32, 0), Column(np.int32, 0)
        self.price_of = Column(np.int64, NONE)
        self.labels = Labels(self.label)
        self._place_of: dict[Facts, int] = {_UNLISTED_FACTS: 0}
        self._numbers: dict[object, int] = {}
        self._plain: dict[str, tuple[int, int]] = {}
        self._added_tokens: dict[str, AddedTokens] = {}

    def add(self, sku: str, product: Product | None = None) -> int:
        """The dense index of one more SKU."""
        self.skus.append(sku)
        self.products.append(None)
        item = len(self.products) - 1
        if product is not None:
            self.put(item, product)
        return item

    def put(self, item: int, product: Product) -> None:
        """Say what the catalogue now holds for a dense index."""
        self.products[item] = product
        self.price_of[item] = NONE if product.price is None else product.price
        facts = Facts(
            self._number(product.currency) if product.plain and product.price is not None else TO_BE_ASKED,
            self._number(product.category) if product.category else 0,
        )
        place = self._place_of.setdefault(facts, len(self.kinds))
        if place == len(self.kinds):
            self.kinds.append(facts)
            self.sale_of[place], self.shelf_of[place] = facts
            self.scopes.append(product.category[-1] if product.category else "")
        self.kind_of[item] = place
        self.range_of[item] = 0 if product.range_id is None else self._number(("range", product.range_id))
        self.labels.forget(item)

    def label(self, item: int) -> Label:
        """What every offer of one product says."""
        sku, product = self.skus[item], self.products[item]
        return offer_tail("cross_sell", sku), sku, None if product is None else product.title

    def name(self, item: int) -> str:
        """What reasons call a product."""
        product = self.products[item]
        return self.skus[item] if product is None or product.title is None else product.title

    def added_tokens(self, tier: str) -> AddedTokens:
        """Attribution tokens of cross-sells to a tier, by the kind of product."""
        tokens = self._added_tokens.get(tier)
        if tokens is None:
            tokens = self._added_tokens[tier] = AddedTokens(tier, self.scopes)
        return tokens

    def plain_in(self, currency: str) -> tuple[int, int]:
        """What `Facts.sale` is of products that may be offered in a currency without a further question."""
        plain = self._plain.get(currency)
        if plain is None:
            plain = self._plain[currency] = self._number(currency), UNLISTED
        return plain

    def _number(self, what: object) -> int:
        return self._numbers.setdefault(what, len(self._numbers) + 1)
