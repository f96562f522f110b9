"""A product the shopper only looks at: upsold before it is in the basket."""

from __future__ import annotations

import pytest

from stream.decisions.model import Product
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import codes, decide, offered, product, views


def rung(sku: str, range_id: str, step: int, price: int) -> Product:
    return product(sku, price, range_id=range_id, rung=step)


@pytest.mark.scenario("S21")
def test_what_is_looked_at_gets_the_upsell_even_where_a_line_has_the_smaller_step() -> None:
    known = views([rung("a", "as", 1, 1000), rung("a+", "as", 2, 1050), rung("b", "bs", 1, 1000)])
    known_too = views(
        [
            *(rung("a", "as", 1, 1000), rung("a+", "as", 2, 1050)),
            *(rung("b", "bs", 1, 1000), rung("b+", "bs", 2, 1400)),
        ]
    )
    lines = (("a", 1000), ("b", 1000))

    assert offered(decide(basket_of(*lines, viewing="b"), known), "upsell") == ["a+"]
    assert offered(decide(basket_of(*lines), known_too), "upsell") == ["a+"]
    looked_at = decide(basket_of(*lines, viewing="b"), known_too)
    assert [(o.sku, o.replaces_sku) for o in looked_at.offers if o.kind == "upsell"] == [("b+", "b")]
    assert codes(looked_at)["a+"] == "UPSELL_CAP"


@pytest.mark.scenario("S21")
def test_what_is_looked_at_is_not_offered_though_a_line_speaks_for_it() -> None:
    known = views(
        [product("tea"), product("mug"), product("tray")], {("tea", "mug"): 40, ("mug", "tray"): 30}
    )

    decision = decide(basket_of("tea", "mug", viewing="mug"), known)

    assert offered(decision) == ["tray"]
    assert codes(decision)["mug"] == "IN_CART"
