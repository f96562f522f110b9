"""One read of views at a time, shared by the batches that came while the one before it was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.decisions.model import Basket
from stream.decisions.views import Views


class Read(Protocol):
    """Reads the views of baskets."""

    async def __call__(self, baskets: Sequence[Basket], now_s: float, *, keep_back: bool) -> Views: ...


@dataclass(eq=False, slots=True)
class _Asked:
    """A batch that waits for its views."""

    baskets: Sequence[Basket]
    now_s: float
    keep_back: bool
    views: Views | None = None


class SharedReads:
    """Lets batches share a read: it costs little more for the baskets of all partitions than for those of one."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._asked: list[_Asked] = []

    @property
    def under_way(self) -> bool:
        """Whether a batch waits for its views."""
        return bool(self._asked) or self._turn.locked()

    async def read(self, baskets: Sequence[Basket], now_s: float, keep_back: bool) -> Views:
        """The views of these baskets; what they need is kept back only where every batch of the read says so."""
        mine = _Asked(baskets, now_s, keep_back)
        self._asked.append(mine)
        async with self._turn:
            if mine.views is None:
                group, self._asked = self._asked, []
                try:
                    views = await self._read(
                        [basket for one in group for basket in one.baskets],
                        max(one.now_s for one in group),
                        keep_back=all(one.keep_back for one in group),
                    )
                except BaseException:
                    # The others ask for themselves: one batch's bad luck is not theirs.
                    self._asked = [*(one for one in group if one is not mine), *self._asked]
                    raise
                for one in group:
                    one.views = views
        assert mine.views is not None
        return mine.views
