"""What is for sale: products by dense index, the few numbers a ranking asks for, and the card of what is offered.

A ranking looks at a dozen candidates of every basket. What it asks of most of them (sold in this currency, on
which shelf, of which range) are three small numbers; only what is offered is looked at as a product, and of that
what is the same in every offer stands together on a card.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stream.decisions.attribution import AddedTokens
from stream.decisions.model import Product
from stream.identity import offer_tail


class Facts(NamedTuple):
    """`sale` is the number of the currency a product is for sale in whenever one asks, or `UNLISTED`, or
    `TO_BE_ASKED`; `shelf` that of its category and `of_range` that of its range, 0 where it has none. Numbers
    are given in the order of first use and mean nothing outside."""

    sale: int
    shelf: int
    of_range: int


UNLISTED: Final = 0
"""In the place of a currency: the catalogue does not know the SKU."""

TO_BE_ASKED: Final = -1
"""In the place of a currency: not simply for sale, `eligibility.refusal` has to be asked."""


class Card(NamedTuple):
    """What every offer of a product says, whoever it is made to; `name` is what reasons call it."""

    offer_tail: str
    sku: str
    title: str | None
    price: int | None
    shelf: str
    name: str


_UNLISTED_FACTS: Final = Facts(UNLISTED, 0, 0)


class Assortment:
    """Products and their facts by dense index; the product is None where the catalogue has none."""

    def __init__(self) -> None:
        self.products: list[Product | None] = []
        self.facts: list[Facts] = []
        self.cards: list[Card | None] = []
        self._numbers: dict[object, int] = {}
        self._facts: dict[Facts, Facts] = {}
        self._plain: dict[str, tuple[int, int]] = {}
        self._added_tokens: dict[str, AddedTokens] = {}

    def add(self, product: Product | None = None) -> int:
        """The dense index of one more SKU."""
        self.products.append(None)
        self.facts.append(_UNLISTED_FACTS)
        self.cards.append(None)
        item = len(self.products) - 1
        if product is not None:
            self.put(item, product)
        return item

    def put(self, item: int, product: Product) -> None:
        """Say what the catalogue now holds for a dense index."""
        self.products[item] = product
        self.cards[item] = None
        facts = Facts(
            self._number(product.currency) if product.plain and product.price is not None else TO_BE_ASKED,
            self._number(product.category) if product.category else 0,
            0 if product.range_id is None else self._number(("range", product.range_id)),
        )
        self.facts[item] = self._facts.setdefault(facts, facts)  # few differ, and few stay in the cache

    def card(self, item: int, sku: str) -> Card:
        """The card of a product as a cross-sell, drawn at its first offer; then it stands in `cards`."""
        product = self.products[item]
        title, price, shelf = None, None, ""
        if product is not None:
            title, price = product.title, product.price
            shelf = product.category[-1] if product.category else ""
        card = Card(offer_tail("cross_sell", sku), sku, title, price, shelf, sku if title is None else title)
        self.cards[item] = card
        return card

    def added_tokens(self, tier: str) -> AddedTokens:
        """Attribution tokens of cross-sells to a tier, by the last name of the category."""
        tokens = self._added_tokens.get(tier)
        if tokens is None:
            tokens = self._added_tokens[tier] = AddedTokens(tier)
        return tokens

    def plain_in(self, currency: str) -> tuple[int, int]:
        """What `Facts.sale` is of products that may be offered in a currency without a further question."""
        plain = self._plain.get(currency)
        if plain is None:
            plain = self._plain[currency] = self._number(currency), UNLISTED
        return plain

    def _number(self, what: object) -> int:
        return self._numbers.setdefault(what, len(self._numbers) + 1)
