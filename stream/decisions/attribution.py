"""What an offer is counted under: its kind, its step band, the shopper's tier and its range or category.

An offer carries the four as one word, its token; a shop that tells us what became of the offer sends the token back.
So feedback counts for what the offer was when it was made, whatever became of the catalogue since, and a recount of
the log needs the log alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

UPSELL: Final = "upsell"
CROSS_SELL: Final = "cross_sell"
KINDS: Final = (UPSELL, CROSS_SELL, "buy_again", "threshold")

NO_BAND: Final = "-"
"""The band of what is added: only what takes a line's place has a step."""

_BANDS: Final = (0, 10, 25, 50)
BANDS: Final = (*(f"{most}" for most in _BANDS), "more")
"""Step bands by name: a rung that costs at most so many hundredths more than the line."""

OTHER_TIER: Final = "other"
"""The tier of a name that is no plain word (a tier set by hand may be any text)."""

_TIER = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)


class Place(NamedTuple):
    """What is counted together. `scope` is the range of an upsell, else the last name of the category; may be empty."""

    kind: str
    band: str
    tier: str
    scope: str

    @property
    def token(self) -> str:
        """The four as one word."""
        return f"{self.kind}|{self.band}|{self.tier}|{self.scope}"


def step_band(line_price: int, price: int) -> str:
    """The band of a step from one price to another, in minor units.

    >>> [step_band(1000, price) for price in (900, 1000, 1100, 1101, 1500, 1501)]
    ['0', '0', '10', '25', '50', 'more']
    """
    step = (price - line_price) * 100
    for most in _BANDS:
        if step <= most * line_price:
            return str(most)
    return BANDS[-1]


def climb_band(held_rung: int, band: str) -> str:
    """The band of a move within a range, which also says from where: the rung held tells more of it than the step.

    >>> climb_band(2, "25")
    '2:25'
    """
    return f"{held_rung}:{band}"


def tier_word(tier: str) -> str:
    """The tier as it stands in a token.

    >>> tier_word("gold"), tier_word("gold|x")
    ('gold', 'other')
    """
    return tier if _TIER.fullmatch(tier) else OTHER_TIER


def place_of(token: str) -> Place:
    """The place that a token names. Raises ValueError for a text that is none of ours.

    >>> place_of("upsell|10|gold|phones")
    Place(kind='upsell', band='10', tier='gold', scope='phones')
    """
    kind, *rest = token.split("|", 3)
    if len(rest) < 3:
        raise ValueError("a token has four parts")
    place = Place(kind, *rest)
    if kind not in KINDS:
        raise ValueError("no such kind of offer")
    if place.band not in (BANDS if kind == UPSELL else (NO_BAND,)):
        raise ValueError("no such step band")
    if tier_word(place.tier) != place.tier:
        raise ValueError("no such tier")
    return place


class AddedTokens(dict[int, str]):
    """Tokens of what is offered besides, to one tier, by the number of a scope; made when they are first asked for."""

    def __init__(self, tier: str, scopes: Sequence[str]) -> None:
        super().__init__()
        self._tier, self._scopes = tier_word(tier), scopes

    def __missing__(self, number: int) -> str:
        token = self[number] = Place(CROSS_SELL, NO_BAND, self._tier, self._scopes[number]).token
        return token
