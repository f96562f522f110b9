"""What a step up takes the ground from: candidates that the replaced lines alone spoke for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from stream.decisions.codes import SUPERSEDED_BY_UPSELL
from stream.decisions.lines import Lines, LineView
from stream.decisions.model import Decision
from stream.decisions.neighbours import CATALOGUE, CATEGORY, LATER, ORDERS, POPULAR, told_row
from stream.decisions.policy import Policy
from stream.decisions.superseded import SUPERSEDED_KEPT
from stream.decisions.views import Views
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import codes, decide, offered, product, rung, views

KNOWN_RUNG = {("b", "beside-b"): 40}
"""Orders enough for the rung offered to speak for itself: the line replaced lends it nothing."""


def replaced(decision: Decision) -> list[str]:
    """What is told to be superseded, in the order it is told in."""
    return [entry.sku for entry in decision.suppressed if entry.code == SUPERSEDED_BY_UPSELL]


def stepped_up(known: Views) -> Decision:
    decision = decide(basket_of(("a", 1000)), known)
    assert [offer.sku for offer in decision.offers if offer.kind == "upsell"] == ["b"]
    return decision


def spoken_for(*rows: tuple[int, Mapping[str, float]]) -> Views:
    """Views in which the line says this, by who speaks: the first is its learned row."""
    named = sorted({sku for _, weights in rows for sku in weights})
    known = views(
        [rung("a", 1, 1000), rung("b", 2, 1100)],
        KNOWN_RUNG,
        numbering=[*reversed(named), "a"],  # of equal ones the first by SKU, not by number
    )
    line = known.lines["a"]
    learned, *others = (
        told_row(source, line.item, {known.items[sku]: weight for sku, weight in weights.items()})
        for source, weights in rows
    )
    known.lines.put("a", msgspec.structs.replace(line, learned=learned, others=tuple(others)))
    return known


def test_the_heaviest_are_told_and_of_those_that_weigh_the_same_the_first_by_sku() -> None:
    alike = dict.fromkeys("zyxwvu", 0.5)

    assert SUPERSEDED_KEPT == 3
    assert replaced(stepped_up(spoken_for((ORDERS, alike)))) == ["u", "v", "w"]
    assert replaced(stepped_up(spoken_for((ORDERS, alike | {"y": 0.75})))) == ["y", "u", "v"]
    assert replaced(stepped_up(spoken_for((ORDERS, alike | {"v": 0.25})))) == ["u", "w", "x"]
    assert replaced(stepped_up(spoken_for((ORDERS, {"z": 0.5, "y": 0.5})))) == ["y", "z"]


def test_the_complements_of_a_replaced_line_count_beside_its_co_purchases() -> None:
    bought = {"u": 0.8, "v": 0.7, "w": 0.6, "x": 0.5}

    assert replaced(stepped_up(spoken_for((ORDERS, bought)))) == ["u", "v", "w"]
    assert replaced(stepped_up(spoken_for((ORDERS, bought), (CATALOGUE, {"x": 0.25})))) == ["u", "x", "v"]
    assert replaced(stepped_up(spoken_for((ORDERS, bought), (CATALOGUE, {"c": 1.0})))) == ["c", "u", "v"]


def test_what_the_catalogue_names_for_a_line_that_was_never_ordered_is_lost_with_it() -> None:
    known = views([rung("a", 1, 1000, complements=(("x", 1.0),)), rung("b", 2, 1100)])

    assert replaced(stepped_up(known)) == ["x"]


@pytest.mark.parametrize("source", [POPULAR, CATEGORY, LATER])
def test_what_is_a_mere_guess_about_a_line_is_no_loss(source: int) -> None:
    known = spoken_for((ORDERS, {"x": 0.5}), (source, {"x": -0.4, "guess": 1.0}), (CATALOGUE, {"y": 0.25}))

    assert replaced(stepped_up(known)) == ["x", "y"]


def test_neither_the_cart_nor_what_is_offered_nor_what_others_speak_for_is_lost() -> None:
    known = views(
        [
            rung("a", 1, 1000, complements=(("b", 1.0), ("bread", 1.0))),
            rung("b", 2, 1100),
        ],
        KNOWN_RUNG
        | {("a", "x"): 60, ("a", "beside-b"): 60, ("a", "bread"): 60, ("bread", "butter"): 60}
        | {("a", "butter"): 60},
    )

    decision = decide(basket_of(("a", 1000), ("bread", 100)), known)

    assert set(offered(decision)) == {"b", "beside-b", "butter"}
    assert replaced(decision) == ["x"]


def test_what_several_replaced_lines_speak_for_is_told_by_what_they_lose_together() -> None:
    policy = Policy(max_upsells=2)
    known = views(
        [
            product("a1", 1000, range_id="A", rung=1),
            product("a2", 1100, range_id="A", rung=2),
            product("b1", 1000, range_id="B", rung=1),
            product("b2", 1100, range_id="B", rung=2),
        ],
        {("a1", "x"): 60, ("b1", "y"): 59, ("a1", "z"): 40, ("b1", "z"): 40}
        | {("a2", "beside-a2"): 40, ("b2", "beside-b2"): 40},
    )

    decision = decide(basket_of(("a1", 1000), ("b1", 1000)), known, policy)

    assert offered(decision, "upsell") == ["a2", "b2"]
    assert replaced(decision) == ["z", "x", "y"]


def without_line(known: Views, sku: str) -> Views:
    """The same views, that know nothing of a SKU as a line."""
    left = {other: known.lines[other] for other in known.items if other != sku}
    return msgspec.structs.replace(known, lines=Lines(left, known.ladders))


def test_a_rung_that_no_view_is_of_is_offered_and_lent_the_lines_co_purchases() -> None:
    known = views(
        [rung("a", 1, 1000, complements=(("made-for-a", 1.0),)), rung("b", 2, 1100)],
        KNOWN_RUNG | {("a", "x"): 60, ("a", "y"): 50},
    )
    assert offered(decide(basket_of(("a", 1000)), known)) == ["b", "beside-b"]

    decision = decide(basket_of(("a", 1000)), without_line(known, "b"))

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [
        ("upsell", "b"),
        ("cross_sell", "x"),
        ("cross_sell", "y"),
    ]
    assert codes(decision) == {"made-for-a": SUPERSEDED_BY_UPSELL}


def test_neither_what_a_line_speaks_against_nor_the_rung_itself_is_lost() -> None:
    known = views(
        [rung("a", 1, 1000, complements=(("b", 1.0), ("made-for-a", 1.0))), rung("b", 2, 1100)],
        KNOWN_RUNG | {("a", "x"): 60},
    )
    line, y = known.lines["a"], known.skus.index("made-for-a")
    known.lines.put(
        "a", LineView(line.item, told_row(ORDERS, line.item, {y: -0.5}), line.others, line.ranged)
    )

    decision = decide(basket_of(("a", 1000)), known)

    assert replaced(decision) == ["made-for-a"], (
        "named by the catalogue for more than orders speak against it"
    )
    against = LineView(line.item, told_row(ORDERS, line.item, {known.skus.index("x"): -0.5}), (), line.ranged)
    known.lines.put("a", against)
    assert replaced(decide(basket_of(("a", 1000)), known)) == []


def test_a_rung_that_no_view_is_of_is_not_told_as_lost_though_the_line_names_it() -> None:
    known = views([rung("a", 1, 1000, complements=(("b", 1.0),)), rung("b", 2, 1100)], {("a", "x"): 60})

    decision = decide(basket_of(("a", 1000)), without_line(known, "b"))

    assert (offered(decision, "upsell"), replaced(decision)) == (["b"], [])
