"""Which scorer serves: the one that enough measured orders speak for, for every reader."""

from __future__ import annotations

import pytest

from stream.commands.scorers import scorer_report
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer
from stream.decisions.selection import CHOSEN_FROM, MISSED
from stream.ops.tally import Tally
from stream.services.scorer_watch import NAMES, ScorerWatch
from stream.tables.ids import sku_id
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.measured_orders import a_block, arrivals, paired_orders
from tests.contract.orders import order
from tests.contract.test_fitted import fit_everything, place
from tests.contract.test_views import basket

POLICY = Policy()


async def test_the_scorer_that_enough_orders_speak_for_serves_and_popularity_claims_nothing(
    tables: MakeTables,
) -> None:
    made = tables()
    await place(made, paired_orders(7, 200))
    reader, tally = ViewReader(made, POLICY, max_age_s=1.0), Tally()
    watch = ScorerWatch(made, reader, POLICY, tally)
    log = arrivals(order(f"o{i}", skus) for i, skus in enumerate(paired_orders(8, 400)))
    views = await reader.read([basket("a")], 0.0)
    assert views.lines["a"].learned.candidates()
    assert views.version == f"{POLICY.version}+{SERVED.name}"

    async def served(hitting: int, orders: int, start: int) -> str | None:
        await tell(made, hitting=hitting, orders=orders)
        await watch.measure("orders/0", 1, log[start : start + 120], float(start))
        return await made.scorers.serving()

    assert await served(0, CHOSEN_FROM - 200, 0) is None
    assert await served(0, CHOSEN_FROM, 120) == "popularity"
    views = await reader.read([basket("a")], 200.0)
    assert views.lines["a"].learned.candidates() == []
    assert views.version == f"{POLICY.version}+popularity"
    assert await served(NAMES.index("baseline"), CHOSEN_FROM, 240) == "baseline"
    assert (await reader.read([basket("a")], 300.0)).lines["a"].learned.candidates()
    assert tally.counts["scorers.chosen"] == 2
    assert scorer_report(await made.scorers.read(NAMES))["served"] == "baseline"


async def test_every_reader_serves_by_the_scorer_the_tables_name(tables: MakeTables) -> None:
    made = tables()
    await place(made, paired_orders(7, 60))
    reader = ViewReader(made, POLICY, max_age_s=1.0)
    names = []
    for at, name in enumerate(("baseline", "popularity", "of another version")):
        await made.scorers.serve(name)
        names.append((await reader.read([basket("a")], 10.0 * at)).scorer)

    assert names == ["baseline", "popularity", SERVED.name]


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
        weights[scorer.name] = {views.skus[i]: w for i, w in views.lines["a"].learned.weights().items()}

    assert weights["beside"]["b"] - weights["alone"]["b"] == pytest.approx(0.5 * 40 / (60 + 30))
    assert weights["beside"]["c"] - weights["alone"]["c"] == pytest.approx(0.5 * 20 / (60 + 30))


async def tell(made: Tables, *, hitting: int, orders: int) -> None:
    """So many orders were measured on another partition, and one scorer found what was hidden in each."""
    ranks = [0 if which == hitting else MISSED for which in range(len(NAMES))]
    await made.scorers.keep("other/0", [a_block(*[ranks] * orders, names=NAMES)])
