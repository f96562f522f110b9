"""Decimal prices, exactly, in integer minor units."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

MAX_MONEY = 10**12
"""Largest amount an event takes, minor units."""

_DECIMALS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def minor_units(amount: Decimal | None, currency: str) -> int:
    """The amount in minor units of an ISO 4217 currency, halves to even; an unknown amount is 0.

    Raises ValueError for an amount below 0, above `MAX_MONEY` minor units, or not finite.

    >>> minor_units(Decimal("12.99"), "EUR"), minor_units(Decimal("0.125"), "EUR"), minor_units(None, "EUR")
    (1299, 12, 0)
    >>> minor_units(Decimal("1500"), "JPY")
    1500
    """
    if amount is None:
        return 0
    if not amount.is_finite():
        raise ValueError(f"{amount} is not a price")
    shifted = amount.scaleb(_DECIMALS.get(currency, 2))
    if not 0 <= shifted <= MAX_MONEY:
        raise ValueError(f"{amount} {currency} is below 0 or too large for a price")
    return int(shifted.to_integral_value(rounding=ROUND_HALF_EVEN))
