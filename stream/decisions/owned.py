"""What a customer needs once, and has: services, subscriptions and products of categories that the policy names.

What was bought within the customer window counts as had; what came back does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream.decisions.eligibility import needed_once
from stream.decisions.habits import Habits
from stream.decisions.ladder import Ladder
from stream.decisions.model import Product
from stream.decisions.policy import Policy


def has_already(habits: Habits, item: int, product: Product | None, policy: Policy) -> bool:
    """Whether the customer has the product with this dense index and needs no other one."""
    return product is not None and needed_once(product, policy) and item in habits.items


def highest_had(habits: Habits, ladder: Ladder, skus: Sequence[str]) -> int | None:
    """The highest rung of a range that the customer has of what is needed once; None if they have none.

    Whoever has a rung has no use for those below it either. `skus` are by dense index.
    """
    once = ladder.once
    return max((once[sku] for item in habits.items.tolist() if (sku := skus[item]) in once), default=None)
