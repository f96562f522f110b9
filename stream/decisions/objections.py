"""What speaks against adding a product to a basket, and the code for it."""

from __future__ import annotations

from stream.decisions.candidates import Considered
from stream.decisions.codes import ALREADY_OWNED, SAME_RANGE
from stream.decisions.eligibility import refusal
from stream.decisions.owned import has_already
from stream.decisions.substitutes import replaces
from stream.decisions.views import Views


def objection(item: int, considered: Considered, views: Views, plain: bool = False) -> str | None:
    """The first code that speaks against a product that is not in the basket, None where nothing does.

    `plain` is for whoever knows that nothing speaks against offering it as such.
    """
    product, policy = views.assortment.products[item], considered.policy
    if not plain:
        code = refusal(views.skus[item], product, considered.basket, policy, considered.at_ms)
        if code is not None:
            return code
    shopper = considered.shopper
    habits = None if shopper is None else shopper.habits
    if habits is not None and has_already(habits, item, product, policy):
        return ALREADY_OWNED
    if considered.ranged and replaces(item, considered.cart, views, policy):
        return SAME_RANGE
    return None
