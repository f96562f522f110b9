"""The sale: the catalogue first, then all orders through the tills until every basket is answered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from stream import topics
from stream.demo.answers import Answers
from stream.demo.options import DemoOptions
from stream.demo.outbox import Outbox
from stream.demo.suggestion_reader import SuggestionReader
from stream.demo.tills import Pace, Tills
from stream.demo.together import together
from stream.errors import OperatorError
from stream.history.datasets import History
from stream.history.replay import CHUNK_EVENTS, product_messages
from stream.publisher import Outgoing, Publisher
from stream.settings import Settings

STALLED_S = 90.0
"""So long baskets may wait without any answer before we say that none come."""


class Sale:
    """Sells a history's orders. Times are those of the running loop."""

    def __init__(
        self, options: DemoOptions, history: History, settings: Settings, publisher: Publisher
    ) -> None:
        self._history, self._settings, self._publisher = history, settings, publisher
        self.answers = Answers()
        self._baskets = Outbox(publisher, settings.topic_prefix + topics.BASKET_UPDATED)
        self._placed = Outbox(publisher, settings.topic_prefix + topics.ORDER_PLACED)
        clock = asyncio.get_running_loop().time
        self.tills = Tills(
            history.orders(),
            history.currency,
            self.answers,
            self._baskets,
            self._placed,
            count=options.tills,
            in_flight=options.in_flight,
            pace=Pace(options.rate, clock),
        )
        self._clock = clock
        self.began_s: float | None = None

    @property
    def seconds(self) -> float:
        """From the first basket to the newest suggestion."""
        return max(0.0, self.answers.last_s - self.began_s) if self.began_s is not None else 0.0

    async def publish_catalogue(self) -> int:
        """Publish every product as it stood at the first order; returns how many."""
        first = next(self._history.orders(), None)
        at = first.at if first else datetime.fromtimestamp(0, UTC)
        chunk: list[Outgoing] = []
        for message in product_messages(self._history.catalogue, self._history.currency, at):
            chunk.append(message)
            if len(chunk) == CHUNK_EVENTS:
                await self._publish(chunk)
                chunk = []
        await self._publish(chunk)
        return len(self._history.catalogue)

    async def sell(self) -> None:
        """Return when every order is with the broker. Raises OperatorError when suggestions stop coming."""
        reader = SuggestionReader(
            self._settings.broker,
            self._settings.topic_prefix + topics.SUGGESTIONS,
            self.answers,
            self.tills.answered,
        )
        await reader.start()
        try:
            self.began_s = self._clock()
            await together(
                self._all(), reader.read(), self._baskets.send(), self._placed.send(), self._watch()
            )
        finally:
            await reader.stop()

    async def _all(self) -> None:
        await self.tills.run()
        while self._placed.sent < self.tills.orders_sent:
            await asyncio.sleep(0.01)

    async def _watch(self) -> None:
        """Raise OperatorError when baskets wait and no answer comes."""
        answered, since_s = 0, self._clock()
        while True:
            await asyncio.sleep(1.0)
            if self.answers.suggestions != answered or not self.answers.waiting:
                answered, since_s = self.answers.suggestions, self._clock()
            elif self._clock() - since_s > STALLED_S:
                raise OperatorError(
                    f"{self.answers.waiting} baskets have had no suggestion for {STALLED_S:.0f} s.",
                    "Look into the worker's log and for dead letters: `basketstream dlq list`.",
                )

    async def _publish(self, chunk: list[Outgoing]) -> None:
        if chunk:
            await self._publisher.publish(self._settings.topic_prefix + topics.PRODUCT_UPDATED, chunk)
