"""One thing to be done, and others that run beside it for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(main: Coroutine[Any, Any, None], *beside: Coroutine[Any, Any, None]) -> None:
    """Return when `main` is done. When one beside it fails, end `main` and raise that failure.

    All are over when this returns. Those beside it run until they are cancelled.
    """
    tasks = [asyncio.create_task(each) for each in (main, *beside)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        await tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
