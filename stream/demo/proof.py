"""The proof: the tables against a recount of the log."""

from __future__ import annotations

import asyncio

from stream.settings import Settings
from stream.tables.dump import dump_rows
from stream.tables.tables import Tables
from stream.verification.verify import Report, read_orders_and_returns

SETTLING_S = 20.0
"""So long the tables may stay the same and wrong; what has left the window is taken out by and by."""

_LOOK_S = 1.0


async def prove(settings: Settings, orders: int) -> tuple[bool, Report]:
    """Whether the log holds `orders` orders and the tables show exactly what they make.

    Call it when everything is read; while panes are still being expired it looks again. Raises OperatorError
    or StateUnavailable when broker or Redis cannot be read.
    """
    loop = asyncio.get_running_loop()
    tables = Tables.on_redis(settings)
    try:
        await tables.open()
        log = await read_orders_and_returns(settings)
        report = await log.compare(dump_rows(tables))
        since_s = loop.time()
        while not report.equal and loop.time() - since_s < SETTLING_S:
            await asyncio.sleep(_LOOK_S)
            again = await log.compare(dump_rows(tables))
            if again.differing != report.differing:
                since_s = loop.time()
            report = again
    finally:
        await tables.close()
    return report.equal and report.orders - report.duplicates == orders, report
