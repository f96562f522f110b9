"""Package sizes as a grocer writes them: a number and a unit."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_BASE: dict[str, tuple[str, int]] = {
    "LB": ("OZ", 16),
    "L": ("ML", 1_000),
    "LT": ("ML", 1_000),
    "QT": ("PT", 2),
    "GA": ("PT", 8),
    "GAL": ("PT", 8),
}
"""Units that are so many of a smaller one; all others stand for themselves."""

_FORM = re.compile(r"(\d+\.?\d*|\.\d+)\s*([A-Z]+(?: [A-Z]+)?)")


class PackageSize(NamedTuple):
    """So many of a unit; sizes compare within one unit only."""

    unit: str
    amount: Fraction


def package_size(text: str | None) -> PackageSize | None:
    """The size, None where the text is not plainly one number of one unit.

    >>> package_size("1.5 LB") == package_size("24 OZ"), package_size("4 PK/7 OZ"), package_size("CTN")
    (True, None, None)
    """
    found = _FORM.fullmatch((text or "").strip().upper())
    if found is None:
        return None
    unit, factor = _BASE.get(found[2], (found[2], 1))
    amount = Fraction(found[1].rstrip(".")) * factor
    return PackageSize(unit, amount) if amount else None
