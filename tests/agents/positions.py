"""The positions of a worker over tables in memory and a log that says where it begins and ends."""

from __future__ import annotations

from collections.abc import Set

from faust.types import TP

from stream.gaps import Gaps, OnGap
from stream.ops.tally import Tally
from stream.positions import Source, TablePositions
from stream.tables.fences import Owner
from stream.tables.tables import Tables
from tests.contract.orders import order

PLACED, BASKETS, PRODUCTS = TP("order-placed", 0), TP("basket-updated", 0), TP("product-updated", 0)


class Log:
    """Bounds of the log, as a broker would tell them."""

    def __init__(self, earliest: int = 0, end: int = 100, served_end: int = 0) -> None:
        self.begin, self.end, self.served_end = earliest, end, served_end

    async def earliest(self, tps: Set[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, self.begin)

    async def served(self, tps: Set[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, self.served_end or self.end)

    async def ends(self, tps: Set[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, self.end)


FENCED = {"order-placed": Source(), "product-updated": Source(every_record=False)}


def positions(
    tables: Tables, log: Log, *, on_gap: OnGap = "stop", tally: Tally | None = None
) -> TablePositions:
    tally = tally if tally is not None else Tally()
    gaps = Gaps(tally, "", on_gap)
    return TablePositions(tables, FENCED, log.earliest, log.ends, log.served, gaps, tally)


async def handle(made: TablePositions, tables: Tables, first: int, last: int) -> Owner:
    """Place orders at these offsets, as the agent does."""
    owner = made.owner("order-placed", 0, 1)
    await tables.orders.place(owner, [(at, order(str(at), "ab")) for at in range(first, last + 1)])
    owner.handled(last)
    return owner
