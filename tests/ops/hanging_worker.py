"""`python -m tests.ops.hanging_worker worker`: the product's command, but counting orders hangs.

HANG=await waits for ever, HANG=block blocks the event loop, HANG=fetch lets no record through once reading began.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from stream import cli
from stream.tables.orders import Orders
from stream.transport import Consumer


async def waits_for_ever(*_: Any, **__: Any) -> Any:
    """A handler that never comes back."""
    await asyncio.Event().wait()


async def blocks(*_: Any, **__: Any) -> Any:
    """A handler that lets nobody else run."""
    time.sleep(3_600)


async def brings_nothing(*_: Any, **__: Any) -> Any:
    """A fetch of a consumer that has quietly died."""
    await asyncio.sleep(0.1)
    return {}


def main() -> None:
    """Put the fault in and run the command."""
    match os.environ["HANG"]:
        case "await":
            Orders.place = waits_for_ever  # type: ignore[method-assign]
        case "block":
            Orders.place = blocks  # type: ignore[method-assign]
        case "fetch":
            Consumer._getmany = brings_nothing  # type: ignore[method-assign]
        case unknown:
            raise ValueError(f"HANG={unknown}")
    cli.main()


if __name__ == "__main__":
    main()
