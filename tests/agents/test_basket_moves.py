"""What shoppers do unprompted: which snapshots are a move up, which are a stay, and how they are told."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from stream.decisions.habits import habits_of
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from stream.errors import StateUnavailable
from stream.ops.tally import Tally
from stream.services import basket_moves
from stream.services.basket_moves import BasketMoves
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Script
from stream.tables.tables import Tables
from tests.decisions.shop import NOW_MS, basket, product, views

SHOP = [
    product("a", 1000, range_id="r", rung=1),
    product("b", 1200, range_id="r", rung=2),
    product("c", 2000, range_id="r", rung=3),
    product("x", 500),
]


class AwayStore(MemoryStore):
    """A store that does not answer so many times, though it may have done what it was asked."""

    away = 0

    async def scripts(self, scripts: list[Script]) -> list[object]:  # type: ignore[override]
        answers = await super().scripts(scripts)
        if self.away:
            self.away -= 1
            raise StateUnavailable("away")
        return answers


@pytest.fixture
def store() -> AwayStore:
    return AwayStore()


@pytest.fixture
def tables(store: AwayStore) -> Tables:
    return Tables(store, load_settings({}, tags=4))


@pytest.fixture
def moves(tables: Tables) -> BasketMoves:
    return BasketMoves(tables.acceptance, Tally(), "worker")


def see(moves: BasketMoves, *snapshots: str, basket_id: str = "b-1", known: Views | None = None) -> None:
    """Snapshots of one basket, one after the other, a letter a line."""
    seen = known or views(SHOP)
    for lines in snapshots:
        moves.note([basket(*lines, basket_id=basket_id, tier="gold", at_ms=NOW_MS)], seen)


async def told(moves: BasketMoves, tables: Tables) -> Counter[str]:
    await moves.tell(NOW_MS)
    counted = Counter[str]()
    for _, fields in (await tables.acceptance.read()).moves.values():
        counted.update(fields)
    return counted


STAYED = {"h1:25|gold|r": 1, "h1:more|gold|r": 1}


@pytest.mark.parametrize(
    ("snapshots", "counted"),
    [
        (["x"], {}),
        (["a", "ax", "a"], STAYED),
        (["a", "b"], {**STAYED, "u1:25|gold|r": 1}),
        (["ax", "x", "xc", "b", "c"], {**STAYED, "u1:more|gold|r": 1}),
        (["a", "ab"], STAYED),
        (["b", "a", "c"], {"h2:more|gold|r": 1, "u2:more|gold|r": 1}),
        (["c", "a", "b"], {}),
    ],
)
async def test_a_line_that_gives_way_to_a_higher_rung_is_a_move(
    moves: BasketMoves, tables: Tables, snapshots: list[str], counted: dict[str, int]
) -> None:
    see(moves, *snapshots)

    assert await told(moves, tables) == counted


def returning(*bought: tuple[str, int]) -> Views:
    """The shop, and a customer who bought these in these panes."""
    known = views(SHOP)
    habits = habits_of([known.lines[sku].item for sku, _ in bought], [pane for _, pane in bought], DAY_MS)
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(habits=habits)})


@pytest.mark.parametrize(
    ("bought", "lines", "counted"),
    [
        ([("a", 3)], "b", {**STAYED, "u1:25|gold|r": 1, "h2:more|gold|r": 1}),
        ([("a", 3)], "a", {"h1:25|gold|r": 2, "h1:more|gold|r": 2}),
        ([("b", 3)], "a", {**STAYED, "h2:more|gold|r": 1}),
        ([("c", 1), ("a", 3)], "c", {**STAYED, "u1:more|gold|r": 1}),
        ([("a", 3), ("b", 3), ("x", 3)], "c", {"h2:more|gold|r": 1, "u2:more|gold|r": 1}),
        ([("c", 3)], "a", STAYED),
        ([("x", 3)], "a", STAYED),
    ],
)
async def test_what_a_customer_bought_last_in_the_range_is_what_a_move_is_measured_from(
    moves: BasketMoves,
    tables: Tables,
    bought: list[tuple[str, int]],
    lines: str,
    counted: dict[str, int],
) -> None:
    for snapshot in (lines, lines + "x"):
        moves.note([basket(*snapshot, customer="ann", tier="gold", at_ms=NOW_MS)], returning(*bought))

    assert await told(moves, tables) == counted


async def test_two_baskets_do_not_make_a_move(moves: BasketMoves, tables: Tables) -> None:
    see(moves, "a")
    see(moves, "b", basket_id="b-2")

    assert await told(moves, tables) == {**STAYED, "h2:more|gold|r": 1}


async def test_what_is_only_looked_at_is_not_held(moves: BasketMoves, tables: Tables) -> None:
    moves.note([basket("a", viewing="a", at_ms=NOW_MS)], views(SHOP))

    assert await told(moves, tables) == {}


async def test_a_shop_without_ranges_is_not_looked_at(moves: BasketMoves, tables: Tables) -> None:
    see(moves, "x", known=views([product("x", 500)]))

    assert await told(moves, tables) == {}


async def test_a_telling_whose_answer_was_lost_is_told_again_and_added_once(
    moves: BasketMoves, tables: Tables, store: AwayStore
) -> None:
    see(moves, "a")
    store.away = 2
    await moves.tell(NOW_MS)
    see(moves, "b")
    await moves.tell(NOW_MS)
    await moves.tell(NOW_MS)

    assert await told(moves, tables) == {**STAYED, "u1:25|gold|r": 1}


async def test_the_memory_of_baskets_is_bounded(
    moves: BasketMoves, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(basket_moves, "MOST_BASKETS", 1)
    see(moves, "a")
    see(moves, "a", basket_id="b-2")
    see(moves, "b")

    assert await told(moves, tables) == {"h1:25|gold|r": 2, "h1:more|gold|r": 2, "h2:more|gold|r": 1}


async def test_while_redis_is_away_no_more_is_noted_than_there_is_room_for(
    moves: BasketMoves, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(basket_moves, "MOST_WAITING", 1)
    see(moves, "a")
    see(moves, "a", basket_id="b-2")

    assert await told(moves, tables) == STAYED
