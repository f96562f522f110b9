"""Which rung of a range a customer bought last."""

from __future__ import annotations

import pytest

from stream.decisions.habits import habits_of, last_rung
from stream.decisions.ladder import build_ladder
from stream.decisions.policy import Policy
from stream.decisions.window import DAY_MS
from tests.decisions.shop import product

RUNGS = [
    product("a", 1000, range_id="r", rung=1),
    product("b", 1200, range_id="r", rung=2),
    product("b-red", 1200, range_id="r", rung=2),
]
SKUS = ["x", "b-red", "a", "b"]


@pytest.mark.parametrize(
    ("bought", "expected"),
    [
        ([], None),
        ([("x", 9)], None),
        ([("a", 1), ("x", 9)], "a"),
        ([("b", 1), ("a", 2)], "a"),
        ([("a", 2), ("b", 1), ("b", 3), ("a", 1)], "b"),
        ([("a", 2), ("b", 2)], "b"),
        ([("b-red", 2), ("b", 2)], "b-red"),
    ],
)
def test_the_rung_bought_last_is_that_of_the_latest_pane_and_there_the_highest(
    bought: list[tuple[str, int]], expected: str | None
) -> None:
    habits = habits_of([SKUS.index(sku) for sku, _ in bought], [pane for _, pane in bought], DAY_MS)

    found = last_rung(habits, build_ladder(RUNGS, Policy()), SKUS)

    assert (None if found is None else found.sku) == expected
