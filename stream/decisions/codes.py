"""The codes of candidates that are not offered: stable words for machines, listed in the contract."""

from __future__ import annotations

from typing import Final

IN_CART: Final = "IN_CART"
"""The basket already holds it, or it is what the shopper looks at."""

EXCLUDED: Final = "EXCLUDED"
"""On the basket's exclude list, or of a category the customer does not want."""

BANNED: Final = "BANNED"
"""The shop's policy offers neither this SKU nor this category."""

DELISTED: Final = "DELISTED"
"""Taken out of the catalogue, inactive, or past its last day."""

NOT_YET_AVAILABLE: Final = "NOT_YET_AVAILABLE"
DISMISSED: Final = "DISMISSED"
"""The shopper waved it away, in this basket or as this customer, and not long enough ago."""

OUT_OF_STOCK: Final = "OUT_OF_STOCK"

ALREADY_OWNED: Final = "ALREADY_OWNED"
"""The customer bought it, or a higher rung of its range, and needs it once: a service, a subscription, or a product of
a category that the policy names."""

OTHER_CURRENCY: Final = "OTHER_CURRENCY"
"""The catalogue's price is not in the basket's currency."""

OVER_LIMIT: Final = "OVER_LIMIT"
"""Dearer than the basket's largest price, or of unknown price where there is such a limit."""

LOWER_RUNG: Final = "LOWER_RUNG"
"""Not a step up: the range has nothing above the line, or the higher rung is the cheaper one."""

STEP_TOO_HIGH: Final = "STEP_TOO_HIGH"
"""A higher rung whose price is more than the allowed factor of the line's."""

UNLIKELY: Final = "UNLIKELY"
"""A rung that shoppers on this one have shown, often enough, not to take."""

OUTBID: Final = "OUTBID"
"""A good upsell, but of the few places each is worth more to what else is offered."""

BOUGHT_TOGETHER: Final = "BOUGHT_TOGETHER"
"""A higher rung that is bought beside the line, not instead of it: orders speak for the two together."""

OTHER_USE: Final = "OTHER_USE"
"""A higher rung that is not bought with what the line is bought with: it serves something else."""

WRONG_TIMING: Final = "WRONG_TIMING"
"""A physical product is not upsold once the order is placed."""

UPSELL_CAP: Final = "UPSELL_CAP"
"""A good upsell, but the decision already holds as many as it may."""

SAME_RANGE: Final = "SAME_RANGE"
"""A substitute, not an addition: of the range of a line whose orders do not speak for it, or of what is due again."""

SUPERSEDED_BY_UPSELL: Final = "SUPERSEDED_BY_UPSELL"
"""It goes with the line that the upsell replaces, and nothing says that it goes with the new one."""

CATEGORY_CAP: Final = "CATEGORY_CAP"
"""The decision already holds as many cross-sells of this category as it may."""

BELOW_SUPPORT: Final = "BELOW_SUPPORT"
"""Too few orders held both."""

BELOW_CONFIDENCE: Final = "BELOW_CONFIDENCE"
"""Together no more often than chance would have it, or the score is too low."""

NO_OFFERS_ASKED: Final = "NO_OFFERS_ASKED"
"""The basket allows no offers at all."""
