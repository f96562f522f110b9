"""Tables that a command reads: opened for one use, refused when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream.errors import OperatorError
from stream.settings import Settings
from stream.tables.tables import Tables

T = TypeVar("T")


def with_tables(settings: Settings, use: Callable[[Tables], Awaitable[T]]) -> T:
    """Open the tables read-only, use them, close them. Raises OperatorError when there are none."""

    async def run() -> T:
        tables = Tables.on_redis(settings)
        try:
            if await tables.is_new():
                raise OperatorError(
                    f"No tables under namespace {tables.keys.namespace!r}.",
                    "Check --redis and BASKETSTREAM_NAMESPACE; a worker makes the tables when it first starts.",
                )
            await tables.open()
            return await use(tables)
        finally:
            await tables.close()

    return asyncio.run(run())
