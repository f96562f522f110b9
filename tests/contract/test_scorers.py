"""The stream as its own test set: orders are measured before they are counted, and workers' tallies add up."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stream.commands.scorers import scorer_report
from stream.decisions.hide_one import hidden_sku, is_sampled
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer
from stream.decisions.selection import MISSED, empty_tally, merged, tally_of
from stream.ops.tally import Tally
from stream.services.scorer_watch import CHOSEN_FROM, MEASURED, MOST_A_BATCH, NAMES, ONE_IN, ScorerWatch
from stream.tables.ids import sku_id
from stream.tables.scorers import FORGOTTEN_AFTER_MS
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import order
from tests.contract.test_fitted import fit_everything, place
from tests.contract.test_views import basket

POLICY = Policy()


def paired_orders(seed: int, number: int) -> list[list[str]]:
    """A SKU of one letter is mostly bought with its capital; staples with everything."""
    dice, made = Random(seed), []
    for _ in range(number):
        one = dice.choice("abcdefghijkl")
        made.append(sorted({one, one.upper(), *(f"s{i}" for i in range(12) if dice.random() < 0.3)}))
    return made


async def test_the_tallies_of_workers_add_up_and_old_ones_and_other_grids_do_not_count(
    tables: MakeTables,
) -> None:
    made = tables().scorers
    one = merged([tally_of(np.array([0, MISSED])), tally_of(np.array([7, 2]))], empty_tally(2))
    other = tally_of(np.array([MISSED, 4]))

    await made.put("w1", ["x", "y"], other, 1_000)
    await made.put("w1", ["x", "y"], one, 2_000)
    await made.put("w2", ["x", "y"], other, 3_000)
    await made.put("w3", ["x", "z"], other, 3_000)
    found = await made.read(["x", "y"], 4_000)

    assert found.workers == 2
    assert found.tally.orders == 3
    assert found.tally.hits.tolist() == [2, 2]
    assert found.tally.beats.tolist() == [[0, 1], [1, 0]]
    assert (await made.read(["x", "y"], 3_000 + FORGOTTEN_AFTER_MS)).workers == 0


async def test_where_items_go_together_a_sample_of_orders_says_so_before_it_is_counted(
    tables: MakeTables,
) -> None:
    made = tables()
    orders = paired_orders(1, 300)
    await place(made, orders)
    await fit_everything(made, {sku_id(sku) for skus in orders for sku in skus})
    reader, tally = ViewReader(made, POLICY, max_age_s=1.0), Tally()
    watch = ScorerWatch(made, reader, POLICY, tally, "me")
    later = [order(f"later-{i}", skus) for i, skus in enumerate(paired_orders(2, 400))]

    for at in range(0, 400, 10):
        await watch.measure(later[at : at + 10], float(at), at)

    sampled = [o for o in later if is_sampled(o.order_id, ONE_IN)]
    found = await made.scorers.read(NAMES, 500)
    report = scorer_report(found)
    assert 60 < tally.counts["scorers.measured"] <= len(sampled)
    assert report["measured"] == tally.counts["scorers.measured"]
    assert report["workers"] == 1
    assert report["scores"]["precision-20"]["hr@10"] > report["scores"]["popularity"]["hr@10"]
    assert report["scores"]["popularity"]["lead"] == 0
    assert report["scores"]["popularity"]["hr@10"] > 0
    assert report["selected"] != "popularity"
    assert (await made.neighbours.total_orders()) == 300, "nothing is counted by being measured"


async def test_the_scorer_that_enough_orders_speak_for_serves_and_popularity_claims_nothing(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, paired_orders(7, 200))
    reader, tally = ViewReader(made, POLICY, max_age_s=1.0), Tally()
    watch = ScorerWatch(made, reader, POLICY, tally, "me")
    batch = [order(f"o{i}", skus) for i, skus in enumerate(paired_orders(8, 40))]
    assert (await reader.read([basket("a")], 0.0)).lines["a"].rows[0].candidates()

    await tell(made, hitting=0, orders=CHOSEN_FROM - 20)
    await watch.measure(batch, 10.0, 10)
    assert (NAMES[watch.serving], tally.counts["scorers.changed"]) == (SERVED.name, 0)
    await tell(made, hitting=0, orders=CHOSEN_FROM)
    await watch.measure(batch, 20.0, 20)
    assert NAMES[watch.serving] == "popularity"
    assert (await reader.read([basket("a")], 20.0)).lines["a"].rows[0].candidates() == []
    await tell(made, hitting=1, orders=CHOSEN_FROM)
    await watch.measure(batch, 30.0, 30)
    assert NAMES[watch.serving] == NAMES[1] == "baseline"
    assert (await reader.read([basket("a")], 30.0)).lines["a"].rows[0].candidates()
    assert tally.counts["scorers.changed"] == 2


async def test_the_baseline_has_its_say_beside_a_fit(tables: MakeTables) -> None:
    made = tables()
    await place(made, [["a", "b"]] * 40 + [["a", "c"]] * 20 + [["b"]] * 30)
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    await fit_everything(made, {sku_id(sku) for sku in "abc"})
    alone, beside = Scorer("alone", "precision-20"), Scorer("beside", "precision-20", beside=0.5)
    weights = {}
    for at, scorer in enumerate((alone, beside)):
        reader.serve(scorer)
        views = await reader.read([basket("a")], float(10 * at))
        weights[scorer.name] = {views.skus[i]: w for i, w in views.lines["a"].rows[0].weights().items()}

    assert weights["beside"]["b"] - weights["alone"]["b"] == pytest.approx(0.5 * 40 / (60 + 30))
    assert weights["beside"]["c"] - weights["alone"]["c"] == pytest.approx(0.5 * 20 / (60 + 30))


async def tell(made: Tables, *, hitting: int, orders: int) -> None:
    """Another worker has measured so many orders, and one scorer found what was hidden in each."""
    ranks = np.array([0 if which == hitting else MISSED for which in range(len(NAMES))])
    tally = merged([tally_of(ranks)] * orders, empty_tally(len(NAMES)))
    await made.scorers.put("other", NAMES, tally, 1)


async def test_of_a_large_batch_a_few_orders_are_measured_and_an_order_of_one_sku_never(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, paired_orders(3, 40))
    tally = Tally()
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, tally, "me")
    batch = [order(f"o{i}", skus) for i, skus in enumerate(paired_orders(4, 200))]

    await watch.measure([order(f"o{i}", ["a"]) for i in range(50)], 0.0, 0)
    assert tally.counts["scorers.measured"] == 0
    await watch.measure(batch, 1.0, 1)
    assert tally.counts["scorers.measured"] == MOST_A_BATCH


async def test_before_any_fit_all_fits_say_what_the_baseline_says(tables: MakeTables) -> None:
    made = tables(tags=1)
    orders = paired_orders(5, 60)
    await place(made, orders)
    await made.fitted.count_heads(0, 10)
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally(), "me")
    batch = [order(f"o{i}", skus) for i, skus in enumerate(paired_orders(6, 400))]
    for at in range(0, 400, 8):
        await watch.measure(batch[at : at + 8], 0.0, 0)

    hits = dict(zip(NAMES, watch.selection.total().hits.tolist(), strict=True))
    assert hits["baseline"] == hits["precision-20"] > 0
    assert hits["popularity"] > 0, "the heads are known"
    assert not any(scorer.own for scorer in MEASURED)
    assert all(hidden_sku(each.order_id, {line.sku for line in each.lines}) for each in batch)


async def test_a_shop_without_orders_measures_nothing_it_knows(tables: MakeTables) -> None:
    made = tables()
    watch = ScorerWatch(made, ViewReader(made, POLICY, max_age_s=1.0), POLICY, Tally(), "me")
    for i in range(20):
        await watch.measure([order(f"o{i}", "ab")], 0.0, 0)

    total = watch.selection.total()
    assert total.orders > 0
    assert total.hits.tolist() == [0] * len(MEASURED)
    assert scorer_report(await made.scorers.read(NAMES, 0))["selected"] == "popularity"
