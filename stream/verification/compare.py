"""Two sorted sequences of rows side by side: which rows differ, and how many of each table agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

SHOWN = 10
"""Differences kept word for word."""

_IDS = {
    "acceptance": ("pane", "token", "action"),
    "co_purchase": ("sku", "partner"),
    "customer": ("customer_id",),
    "diary": ("customer_id",),
    "order": ("order_id", "pane"),
    "order_count": ("sku",),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not as it should be; None where a side has no such row."""

    expected: Row | None
    found: Row | None

    def __str__(self) -> str:
        if self.found is None:
            return f"missing: {dict(self.expected or {})}"
        if self.expected is None:
            return f"too much: {dict(self.found)}"
        return f"expected {dict(self.expected)}, found {dict(self.found)}"


@dataclass(slots=True)
class Comparison:
    """Rows that agree by table, the number of rows that do not, and the first of those."""

    agreeing: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    first: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """No row differs."""
        return self.differing == 0

    def differs(self, expected: Row | None, found: Row | None) -> None:
        """Note a difference."""
        self.differing += 1
        if len(self.first) < SHOWN:
            self.first.append(Difference(expected, found))


async def compare(expected: Iterable[Row], found: AsyncIterator[Row]) -> Comparison:
    """Compare rows in canonical order, holding two at a time.

    An expected tuple names several values that are right. Raises ValueError for rows of an unknown table.
    """
    result = Comparison()
    wanted = iter(expected)
    want = next(wanted, None)
    async for row in found:
        while want is not None and _place(want) < _place(row):
            result.differs(want, None)
            want = next(wanted, None)
        if want is None or _place(want) > _place(row):
            result.differs(None, row)
            continue
        if _agree(want, row):
            result.agreeing[row["table"]] += 1
        else:
            result.differs(want, row)
        want = next(wanted, None)
    while want is not None:
        result.differs(want, None)
        want = next(wanted, None)
    return result


def _place(row: Row) -> tuple[Any, ...]:
    table = row["table"]
    if table not in _IDS:
        raise ValueError(f"there is no table {table!r}")
    return (table, *(row[name] for name in _IDS[table]))


def _agree(want: Row, row: Row) -> bool:
    return want.keys() == row.keys() and all(
        row[name] in value if isinstance(value, tuple) else row[name] == value for name, value in want.items()
    )
