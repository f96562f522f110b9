"""Moves within a range: who moved, what was said before, and how that is scored."""

from __future__ import annotations

import doctest
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from stream.evaluation import upsell_figures
from stream.evaluation.run import evaluate
from stream.evaluation.upsell_figures import auc, calibration, forecast_moves, upsell_report
from stream.evaluation.upsell_moves import Holdings, Move, MoveModel, prices_of, rungs_of
from stream.history.catalogue import CatalogItem
from stream.history.orders import Order
from tests.evaluation.histories import history, order


def ladder(name: str, rungs: int = 4) -> list[CatalogItem]:
    return [
        CatalogItem(sku=f"{name}{rung}", title=name, price=Decimal(rung), range_id=name, rung=rung)
        for rung in range(1, rungs + 1)
    ]


def test_the_examples_are_true() -> None:
    assert doctest.testmod(upsell_figures).failed == 0


def test_a_move_is_the_next_purchase_of_the_same_customer_in_the_same_range() -> None:
    orders = [
        order(0, ["bike1", "bag2"], "ann"),
        order(1, ["bike3"], "bob"),
        order(2, ["bike2"]),
        order(3, ["bike2", "bike1", "bag2"], "ann"),
        order(4, ["bike1"], "ann"),
    ]
    read = history(orders)
    catalogue = [*ladder("bike"), *ladder("bag", 2)]
    holdings = Holdings(rungs_of(catalogue, read.skus), {"bike": 4, "bag": 2})

    moves = [list(holdings.moves(each)) for each in read.orders]

    # Nobody can be moved up from the highest bag, so it is no case; a stranger's order moves nobody.
    assert moves == [[], [], [], [Move("bike", 1, 2)], [Move("bike", 2, 1)]]
    assert [move.is_up for each in moves for move in each] == [True, False]


def test_a_rung_nobody_moved_from_leans_on_its_range_and_a_range_on_the_shop() -> None:
    model = MoveModel(prices_of([*ladder("bike"), *ladder("bag"), *ladder("boot")]))
    for at in range(200):
        model.add(Move("bike", 1, 1 if at % 4 == 0 else 2))
        model.add(Move("bag", 1, 1))

    assert model.usual_chance() == pytest.approx(0.375, abs=0.01)
    assert model.chance_up(Move("bike", 1, 0)) == pytest.approx(0.75, abs=0.02)
    assert model.chance_up(Move("bike", 2, 0)) > 0.6
    assert model.chance_up(Move("bag", 1, 0)) < 0.05
    assert model.chance_up(Move("boot", 1, 0)) == pytest.approx(0.34, abs=0.01)


def test_the_likeliest_rung_is_the_one_most_went_to_or_the_next() -> None:
    model = MoveModel(prices_of([*ladder("bike"), *ladder("bag"), *ladder("boot")]))
    for bought in (4, 3, 4, 1):
        model.add(Move("bike", 2, bought))

    assert model.likeliest_rung(Move("bike", 2, 0)) == 4
    assert model.likeliest_rung(Move("bike", 1, 0)) == 2


def shop(seed: int) -> list[Order]:
    """Customers come twice: who stands on bikes moves up nine times in ten, on bags once in ten."""
    dice, orders = Random(seed), []
    for customer in range(400):
        name, chance = dice.choice([("bike", 0.9), ("bag", 0.1)])
        orders.append(order(2 * customer, [f"{name}1"], f"c{customer}"))
        orders.append(
            order(2 * customer + 1, [f"{name}{2 if dice.random() < chance else 1}"], f"c{customer}")
        )
    return orders


def test_ranges_people_move_up_in_are_told_from_those_they_stay_in() -> None:
    catalogue = [*ladder("bike"), *ladder("bag")]

    report = upsell_report(forecast_moves(history(shop(1)), catalogue))

    assert report["moves"] == 80
    assert report["auc"] > 0.75
    assert report["rung_ranked_first"] == 1.0
    assert report["silent_when_not_up"] > 0.75
    assert report["offered_when_up"] > 0.75
    assert report["calibration_error"] < 0.15
    assert sum(row["n"] for row in report["calibration"]) == 80


def test_a_forecast_does_not_know_the_move_it_is_about() -> None:
    orders = shop(2)
    catalogue = [*ladder("bike"), *ladder("bag")]
    before = forecast_moves(history(orders), catalogue)
    swapped = orders[-1].items[0].sku[:-1] + ("1" if orders[-1].items[0].sku.endswith("2") else "2")

    after = forecast_moves(history([*orders[:-1], order(len(orders) - 1, [swapped], "c399")]), catalogue)

    assert before[-1].move.is_up != after[-1].move.is_up
    assert before[-1].chance == after[-1].chance


def test_an_evaluation_has_upsell_figures_where_the_catalogue_has_ranges() -> None:
    read = history(shop(3))

    assert evaluate(read).upsell is None
    found = evaluate(read, catalogue=[*ladder("bike"), *ladder("bag")]).upsell
    assert found is not None
    assert found["auc"] > 0.6


def test_without_ups_or_without_others_there_is_no_auc() -> None:
    assert auc(np.array([0.5]), np.array([True])) is None
    assert auc(np.array([0.5]), np.array([False])) is None
    assert calibration(np.array([]), np.array([], np.bool_)) == []
