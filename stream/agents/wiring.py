"""What agents are wired to: tables, publisher, policy and positions of one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream.agents.shell import Shell
from stream.dead_letters import DeadLetter, DeadLetters
from stream.ops.tally import Tally
from stream.positions import TablePositions
from stream.publisher import Publisher
from stream.services.announcer import Announcer
from stream.services.basket_moves import BasketMoves
from stream.services.scorer_watch import ScorerWatch
from stream.tables.dismissal_reader import DismissalReader
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader


@dataclass(frozen=True, slots=True)
class Wiring:
    """Made once, by `create_app`."""

    topic_prefix: str
    default_tier: str
    tables: Tables
    views: ViewReader
    publisher: Publisher
    dead_letters: DeadLetters
    positions: TablePositions
    shell: Shell
    tally: Tally
    announcer: Announcer
    dismissed: DismissalReader
    basket_moves: BasketMoves
    scorer_watch: ScorerWatch | None = None
    """None in a worker that measures no orders."""

    def topic(self, name: str) -> str:
        """The topic's name on this Kafka."""
        return self.topic_prefix + name

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Publish dead letters; returns when the broker has them. Raises StateUnavailable."""
        if letters:
            await self.dead_letters.send(letters)
            self.tally.add("dead letters", len(letters))
