"""`basketstream scorers`: the workers' tallies as a table and as one line."""

from __future__ import annotations

import asyncio
import json

import numpy as np
from typer.testing import CliRunner

from stream.cli import app
from stream.decisions.scorers import SERVED
from stream.decisions.selection import MISSED, empty_tally, merged, tally_of
from stream.errors import OperatorError
from stream.services.scorer_watch import NAMES
from stream.settings import load_settings
from stream.tables.scorers import block_of
from stream.tables.tables import Tables


async def tell(redis_url: str) -> None:
    """On one partition 40 orders were measured; the second scorer finds what is hidden in each."""
    tables = Tables.on_redis(load_settings({}, redis_url=redis_url))
    await tables.open()
    ranks = np.array([MISSED, 3, *[MISSED] * (len(NAMES) - 2)])
    tally = merged([tally_of(ranks)] * 40, empty_tally(len(NAMES)))
    block = block_of(tally, NAMES, number=0, last_offset=90, second=1, in_second=1)
    await tables.scorers.keep("order-placed/0", [block])
    await tables.close()


def test_the_scorer_that_is_ahead_is_named(redis_url: str) -> None:
    asyncio.run(tell(redis_url))

    line = CliRunner().invoke(app, ["scorers", "--redis", redis_url, "--json"])
    table = CliRunner().invoke(app, ["scorers", "--redis", redis_url], env={"COLUMNS": "120"})

    report = json.loads(line.stdout)
    assert report["served"] == SERVED.name, "too few orders to choose from"
    assert (report["measured"], report["partitions"], report["selected"]) == (40, 1, NAMES[1])
    assert report["scores"][NAMES[1]] == {"hr@5": 1.0, "hr@10": 1.0, "mrr@10": 0.25, "lead": 40}
    assert "40 orders measured on 1 partitions" in table.stdout
    assert f"Ahead: {NAMES[1]}, +40 hits over the next" in " ".join(table.stdout.split())


def test_without_tables_the_operator_is_told(redis_url: str) -> None:
    result = CliRunner().invoke(app, ["scorers", "--redis", redis_url])

    assert isinstance(result.exception, OperatorError)
    assert "No tables" in result.exception.problem
