"""The answers of a module's sector: played once, before its first scenario."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.sector import Told, play
from tests.services import Services


@pytest.fixture(scope="module")
def told(
    request: pytest.FixtureRequest, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Told:
    """What a worker answered to everything that the module's `SECTOR` asks."""
    sector = request.module.SECTOR
    return asyncio.run(play(sector, services, tmp_path_factory.mktemp(sector.name)))
