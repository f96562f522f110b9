"""The arena of a round."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.arena import Arena
from tests.faults.kafka_faults import LinkedKafka, linked_kafka
from tests.faults.nursery import Nursery
from tests.faults.plugin import MEASURED, name_of, row_of
from tests.services import Services


@pytest.fixture(scope="session")
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery | None]:
    """What forks the workers, if the run asked for that."""
    if not request.config.option.forked:
        yield None
        return
    with Nursery() as made:
        yield made


@pytest.fixture
async def arena(
    request: pytest.FixtureRequest,
    services: Services,
    nursery: Nursery | None,
    fault_round: int,
    tmp_path: Path,
) -> AsyncIterator[Arena]:
    """Nothing is started yet; what the round starts ends with it."""
    option = request.config.option
    made = Arena(
        services,
        option.seed,
        row_of(request.node),
        fault_round,
        name_of(request.node),
        tmp_path,
        option.sabotage,
        option.long,
        began=getattr(option, "replay_began", None),
        nursery=nursery,
    )
    request.node.stash[MEASURED] = made.measured
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def linked() -> AsyncIterator[LinkedKafka]:
    """An Apache Kafka behind a link. Ask for it before the arena, which then ends first."""
    async with linked_kafka() as made:
        yield made
