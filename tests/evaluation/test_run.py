"""A whole evaluation: the protocol, what is served with and without association, the baselines, the figures."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from stream.decisions.hide_one import hidden_sku
from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID
from stream.decisions.selection import MISSED
from stream.errors import OperatorError
from stream.evaluation import baselines
from stream.evaluation.baselines import BatchEase, Comparison
from stream.evaluation.figures import Figures
from stream.evaluation.prequential import Prequential, Question
from stream.evaluation.report import as_json
from stream.evaluation.run import ENGINE, Evaluation, evaluate
from stream.history.catalogue import CatalogItem
from tests.evaluation.histories import history, order, paired, shuffled


@pytest.fixture(scope="module", name="found")
def _found() -> Evaluation:
    return evaluate(history(paired(Random(1), 2_500)))


def test_where_items_go_together_an_association_is_served_and_beats_popularity(found: Evaluation) -> None:
    scores = found.scores

    assert scores[ENGINE]["hr@10"] > 1.2 * scores["popularity"]["hr@10"]
    assert scores[ENGINE]["hr@10"] >= 0.99 * scores["batch-ease"]["hr@10"]
    assert next(s for s in GRID if s.name == found.selected).claims_association


def test_without_association_popularity_is_served() -> None:
    dice = Random(2)

    found = evaluate(history(shuffled(dice, paired(dice, 2_500))))

    assert found.selected == "popularity"
    assert found.scores[ENGINE] == found.scores["popularity"]


def test_a_customers_own_frequency_is_served_where_customers_come_back() -> None:
    dice, orders = Random(3), []
    usual = [dice.sample(range(60), 5) for _ in range(150)]
    for number in range(2_500):
        one = dice.randrange(len(usual))
        skus = {f"sku{item}" for item in [*dice.sample(usual[one], 3), dice.randrange(60)]}
        orders.append(order(number, skus, f"customer{one}"))

    found = evaluate(history(orders))

    assert "own" in found.selected or found.selected == "bought-before"
    assert found.scores[ENGINE]["hr@10"] > 1.2 * found.scores["precision-20"]["hr@10"]


def test_the_json_line_has_the_figures_of_every_row(found: Evaluation) -> None:
    line = as_json(found)

    assert line["orders"] == 2_500
    assert line["evaluated"] == 500
    assert line["served"] in line["scores"]
    assert line["events_per_s"] > 0
    assert {"popularity", "baseline", "batch-ease", "item-knn"} < line["scores"].keys()
    for figures in line["scores"].values():
        assert {"hr@5", "hr@10", "mrr@10", "coverage"} <= figures.keys()
        assert 0 <= figures["mrr@10"] <= figures["hr@10"] <= 1
        assert figures["hr@5"] <= figures["hr@10"]


def test_an_order_is_asked_about_before_it_is_counted_and_only_the_last_fifth_is_evaluated() -> None:
    orders = [order(i, ["a", "b", f"c{i}"] if i % 2 else ["only"]) for i in range(100)]
    engine = Prequential(history(orders), GRID, Policy())
    asked: list[Question] = []
    counted: list[int] = []

    def look(question: Question) -> None:
        asked.append(question)
        counted.append(engine.counts.total)

    engine.run(look, lambda _done: None)

    skus = history(orders).skus
    assert counted == [81, 83, 85, 87, 89, 91, 93, 95, 97, 99]
    for question, number in zip(asked, counted, strict=True):
        hidden = hidden_sku(f"order-{number}", {"a", "b", f"c{number}"})
        assert skus[question.hidden] == hidden
        assert {skus[line] for line in question.lines} == {"a", "b", f"c{number}"} - {hidden}


def test_orders_are_taken_by_time_and_an_id_once() -> None:
    read = history(
        [order(2, ["z"], hour=9), order(1, ["b", "a", "b"], "me", hour=1), order(2, ["q"], hour=10)]
    )

    assert read.skus == ["a", "b", "z"]
    assert [(each.order_id, each.items) for each in read.orders] == [("order-1", (0, 1)), ("order-2", (2,))]
    assert read.repeated == 1
    assert read.customers == ["me"]


def test_a_history_too_short_is_refused() -> None:
    with pytest.raises(OperatorError, match="49 orders"):
        evaluate(history([order(i, ["a", "b"]) for i in range(49)]))


def test_batch_ease_is_the_regression_of_each_sku_on_all_others() -> None:
    read = history(paired(Random(4), 300, pairs=5))
    held = np.zeros((300, len(read.skus)))
    for row, each in zip(held, read.orders, strict=True):
        row[list(each.items)] = 1

    offers = BatchEase(read.orders, len(read.skus)).offers([[0], [3, 9]])

    for basket, offered in zip([[0], [3, 9]], offers, strict=True):
        scores = np.zeros(len(read.skus))
        for j in range(len(read.skus)):
            others = [i for i in range(len(read.skus)) if i != j]
            gram = held[:, others].T @ held[:, others] + baselines.EASE_PRIOR * np.eye(len(others))
            weights = np.linalg.solve(gram, held[:, others].T @ held[:, j])
            scores[j] = sum(weights[others.index(i)] for i in basket if i != j)
        scores[basket] = -np.inf
        best = np.argsort(-scores, kind="stable")[:10]
        assert scores[offered] == pytest.approx(scores[best], abs=1e-5)


def test_baselines_answer_many_at_a_time_and_the_rest_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "ASKED_AT_ONCE", 2)

    class Fixed:
        def offers(self, baskets: Sequence[Sequence[int]]) -> np.ndarray:
            return np.array([[basket[0] + 1, 0] for basket in baskets])

    comparison = Comparison(Fixed(), 9)
    for line in (3, 5, 7):
        comparison.ask(Question([line], line + 1 if line != 5 else 2, frozenset({0})))
    comparison.finish()
    comparison.finish()

    assert list(comparison.figures.hits) == [1, 0, 1]


def test_figures_are_means_over_the_orders() -> None:
    figures = Figures(8)
    for rank in (0, 4, 9, 10, MISSED):
        figures.add(rank, np.array([1, 2, -1]), {2, 3})

    assert figures.report(known=8) == {
        "hr@5": 0.4, "hr@10": 0.6, "mrr@10": round((1 + 1 / 5 + 1 / 10) / 5, 4), "coverage": 0.25, "heads": 0.5,
    }  # fmt: skip


def test_with_a_catalogue_one_row_is_served_and_it_is_decided_under_the_catalogues_rules() -> None:
    orders = paired(Random(1), 500)
    capped = [
        CatalogItem(sku=f"staple{i}", title="", price=Decimal(1), category=("staples",)) for i in range(12)
    ]

    free, bound = (evaluate(history(orders), catalogue=catalogue) for catalogue in ((), capped))

    rows = [name for name in bound.figures if name.startswith(ENGINE)]
    assert (rows, as_json(bound)["served"]) == ([ENGINE], ENGINE)
    assert bound.scores[ENGINE]["hr@10"] != free.scores[ENGINE]["hr@10"]
    assert bound.scores["precision-20"] == free.scores["precision-20"]
