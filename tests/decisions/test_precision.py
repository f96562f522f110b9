"""Local precision weights: the closed form, against solving the regression it stands for."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from stream.decisions import hide_one, precision
from stream.decisions.precision import MOST_HEADS, Fit, is_stale, neighbourhood, precision_weights, supported
from stream.decisions.scorers import FITS


@pytest.mark.parametrize("module", [hide_one, precision])
def test_the_examples_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def counted(seed: int, items: int = 6, orders: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(orders x items, pair counts, order counts) of random orders."""
    held = np.random.default_rng(seed).random((orders, items)) < 0.4
    gram = held.T.astype(np.int64) @ held.astype(np.int64)
    return held.astype(np.float64), gram, np.diag(gram).copy()


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS.keys())
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_those_of_ridge_regressions_of_each_item_on_all_others(fit: Fit, seed: int) -> None:
    _, gram, orders = counted(seed)

    weights = precision_weights(gram[None], orders[None], [fit])[0, 0]

    penalised = gram.astype(np.float64)
    penalised[np.diag_indices(len(orders))] = orders / (1 - fit.dropout) + fit.prior
    for j in range(1, len(orders)):
        others = [i for i in range(len(orders)) if i != j]
        solved = np.linalg.solve(penalised[np.ix_(others, others)], gram[others, j])
        assert weights[j - 1] == pytest.approx(solved[0])


def test_items_that_never_meet_though_both_are_popular_push_each_other_down() -> None:
    # 0 and 1 are substitutes: both are bought with 2, never with each other.
    held = np.array([[1, 0, 1], [0, 1, 1]] * 50)
    gram = held.T @ held

    weights = precision_weights(gram[None], np.diag(gram)[None], [Fit(20, 0)])[0, 0]

    assert weights[0] < 0 < weights[1]


def test_the_weights_of_a_neighbourhood_do_not_depend_on_its_company() -> None:
    counts = [counted(seed) for seed in range(4)]
    fits = list(FITS.values())
    together, orders = (np.stack([each[part] for each in counts]) for part in (1, 2))

    at_once = precision_weights(together, orders, fits)

    for i in range(len(counts)):
        alone = precision_weights(together[i : i + 1], orders[i : i + 1], fits)
        assert alone[0].tobytes() == at_once[i].tobytes()


def test_below_the_support_floor_a_weight_may_only_speak_against() -> None:
    weights = np.array([[[0.4, 0.3, -0.2], [0.1, -0.1, 0.2]]])

    floored = supported(weights, np.array([[[3, 2, 0]]]), 3)

    assert floored.tolist() == [[[0.4, 0.0, -0.2], [0.1, -0.1, 0.0]]]


def test_an_item_without_neighbours_has_no_weights() -> None:
    assert precision_weights(np.zeros((1, 1, 1), np.int64), np.array([[3]]), [Fit(20, 0)]).shape == (1, 1, 0)


def test_a_neighbourhood_takes_so_many_heads_that_are_no_partners() -> None:
    members = neighbourhood(0, [1, 2], range(100))

    assert members[:3] == [0, 1, 2]
    assert members[3:] == list(range(3, 3 + MOST_HEADS))


@pytest.mark.parametrize(("then", "now"), [(0, 2), (10, 8), (1_000, 1_100), (1_000, 900)])
def test_an_item_is_stale_after_two_orders_and_a_tenth_up_or_down(then: int, now: int) -> None:
    step = 1 if now > then else -1

    assert is_stale(then, now)
    assert not is_stale(then, now - step)
