"""What baskets may know of their customers and of what everybody buys, read from the tables."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stream.decisions.decide import decide_batch
from stream.decisions.habits import habits_of, own_rows
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID, Scorer
from stream.decisions.views import Views
from stream.decisions.window import DAY_MS
from stream.tables.fitted import HeadsCounted
from stream.tables.store import Store
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, FailingStore, erased, order, returned, take_back
from tests.contract.test_views import basket, put

BY_NAME = {scorer.name: scorer for scorer in GRID}
OWN, POPULARITY = BY_NAME["baseline+own"], BY_NAME["popularity"]


def of(customer: str | None, *skus: str) -> Basket:
    return replace(basket(*skus), customer=customer)


async def sell(tables: Tables, sold: list[tuple[float, str | None, str]]) -> None:
    """Orders of (day, customer, SKUs of one letter), and the most ordered SKUs counted."""
    owner = await tables.fences.take(TOPIC, 0)
    first = owner.lowest_fence + 1
    await tables.dictionary.remember({sku for _, _, skus in sold for sku in skus})
    await tables.orders.place(
        owner,
        [
            (first + n, order(str(first + n), skus, day=day, customer=name))
            for n, (day, name, skus) in enumerate(sold)
        ],
    )
    await tables.fences.move(owner, first + len(sold) - 1, owner.watermark)
    await tables.fitted.count_heads(70)
    await tables.sampling.draw("none")
    await tables.fitted.note_heads(HeadsCounted(await tables.neighbours.total_orders(), 0))


def offers(views: Views, policy: Policy, asked: Basket, day: float) -> list[tuple[str, str]]:
    at_ms = int((FIRST_PANE + day) * DAY_MS)
    [decision] = decide_batch([asked], views, policy, at_ms)
    return [(offer.sku, offer.reason.code) for offer in decision.offers]


async def test_what_a_customer_buys_every_day_is_due_and_nobody_elses(tables: MakeTables) -> None:
    made = tables(window_panes=30, customer_window_panes=30)
    await sell(made, [(0, "ann", "am"), (8, "ann", "ac"), (16, "ann", "a"), (16, "bob", "a")])
    await put(made, "a", 5_00)
    policy = Policy()

    views = await ViewReader(made, policy, max_age_s=1).read(
        [of("ann", "x"), of("bob", "x"), of(None, "x")], 0.0
    )

    assert offers(views, policy, of("ann", "x"), 23) == [("a", "BUY_AGAIN")]
    assert offers(views, policy, of("ann", "x"), 18) == []
    assert offers(views, policy, of("bob", "x"), 23) == offers(views, policy, of(None, "x"), 23) == []
    assert set(views.shoppers) == {"ann", "bob"}


async def test_the_own_row_is_that_of_the_purchases_that_were_kept(tables: MakeTables) -> None:
    made = tables(window_panes=30, customer_window_panes=30)
    await sell(made, [(0, "ann", "ab"), (1, "ann", "a"), (2, "bob", "c"), (2, None, "c")])
    await take_back(made, await made.fences.take("order-returned", 0), 0, returned("0", "b"))
    policy = Policy(boosts={"a": 2.0})

    views = await ViewReader(made, policy, max_age_s=1, scorer=OWN).read(
        [of("ann", "x"), of("bob", "x")], 0.0
    )

    a = views.skus.index("a")
    [row] = own_rows(OWN, [habits_of([a, a], [FIRST_PANE, FIRST_PANE + 1], DAY_MS)], 4)
    own = views.shoppers["ann"].own
    assert own is not None
    assert own.weights() == {a: pytest.approx(2 * row.weights()[a])}
    assert views.shoppers["bob"].own is not None


async def test_a_diary_is_asked_for_again_once_it_may_have_changed(tables: MakeTables, store: Store) -> None:
    counting = FailingStore(store)
    made = tables(counting, window_panes=30, customer_window_panes=30)
    await sell(made, [(0, "ann", "a"), (1, "ann", "a"), (2, "ann", "a")])
    reader = ViewReader(made, Policy(), max_age_s=1)
    first = await reader.read([of("ann", "x")], 0.0)
    calls = counting.calls

    again = await reader.read([of("ann", "x")], 0.4)
    assert counting.calls == calls
    await sell(made, [(3, "ann", "a")])
    later = await reader.read([of("ann", "x")], 1.0)

    assert first.shoppers == again.shoppers
    assert [views.shoppers["ann"].rhythms[0].times for views in (first, later)] == [3, 4]


async def test_popularity_speaks_once_it_is_measured_to_serve_best_or_the_shop_wants_it(
    tables: MakeTables,
) -> None:
    made = tables(window_panes=30)
    await sell(made, [(0, None, "a"), (0, None, "b"), (1, None, "b")])
    measured, always, never = Policy(), Policy(fallback="popular"), Policy(fallback="none")

    async def answer(policy: Policy, scorer: Scorer, asked: Basket) -> list[tuple[str, str]]:
        reader = ViewReader(made, policy, max_age_s=1)
        if scorer is not POPULARITY:
            reader.serve(scorer)
        return offers(await reader.read([asked], 0.0), policy, asked, 1)

    assert await answer(measured, OWN, of(None, "x")) == []
    assert await answer(always, OWN, of(None, "x")) == [("b", "POPULAR"), ("a", "POPULAR")]
    assert await answer(always, OWN, of(None, "b")) == [("a", "POPULAR")]
    await made.scorers.serve("popularity")
    assert await answer(measured, POPULARITY, of(None, "x")) == [("b", "POPULAR"), ("a", "POPULAR")]
    assert await answer(never, POPULARITY, of(None, "x")) == []


async def test_new_heads_are_heard_of_and_their_orders_are_those_of_now(tables: MakeTables) -> None:
    made = tables(window_panes=30)
    policy = Policy(fallback="popular")
    await sell(made, [(0, None, "a")])
    reader = ViewReader(made, policy, max_age_s=1)
    first = await reader.read([basket("x")], 0.0)
    await sell(made, [(0, None, "b"), (0, None, "b")])

    at_once = await reader.read([basket("x")], 0.4)
    later = await reader.read([basket("x")], 2.0)

    found = [views.popular["web", "none"] for views in (first, at_once, later)]
    assert [row.orders for row in found] == [1, 1, 3]
    assert [later.skus[item] for item in found[2].candidates()] == ["b", "a"]


async def test_where_a_channel_has_enough_orders_its_own_are_popular_there(tables: MakeTables) -> None:
    made = tables(window_panes=30)
    policy = Policy(fallback="popular")
    owner = await made.fences.take(TOPIC, 0)
    await made.dictionary.remember("abc")
    sold = [
        (f"{channel}{n}", skus, channel) for channel, skus in (("pos", "a"), ("web", "b")) for n in range(220)
    ]
    placed = [
        (at, replace(order(name, skus), channel=channel)) for at, (name, skus, channel) in enumerate(sold)
    ]
    for start in range(0, len(placed), 110):
        await made.orders.place(owner, placed[start : start + 110])
    await made.fences.move(owner, len(placed) - 1, owner.watermark)
    await sell(made, [(0, None, "c")] * 30)

    asked = [replace(basket("x"), channel=channel) for channel in ("pos", "web", "app")]
    views = await ViewReader(made, policy, max_age_s=1).read(asked, 0.0)
    told = [decide_batch([each], views, policy, 0)[0].offers for each in asked]

    assert [offers[0].sku for offers in told] == ["a", "b", "a"]
    assert [offers[0].reason.evidence["segment"] for offers in told] == [
        "channel pos",
        "channel web",
        "all customers",
    ]
    assert told[0][0].reason.evidence["orders"] == told[0][0].reason.evidence["of_orders"] == 220


async def test_a_product_nobody_ordered_is_offered_what_goes_with_its_category(tables: MakeTables) -> None:
    made = tables(window_panes=30)
    policy = Policy()
    for sku, category in (("t", "tea"), ("n", "tea"), ("m", "cups"), ("s", "tools")):
        await put(made, sku, 5_00, category=category)
    await sell(made, [(0, None, "tm")] * 30 + [(0, None, "s")] * 30)

    views = await ViewReader(made, policy, max_age_s=1).read([basket("n"), basket("t")], 0.0)
    [new], [old] = (decide_batch([basket(sku)], views, policy, 0)[0].offers for sku in "nt")

    assert (new.sku, new.reason.code) == ("m", "CATEGORY_PAIR")
    assert (new.reason.evidence["together"], new.reason.evidence["orders"]) == (30, 30)
    assert (old.sku, old.reason.code) == ("m", "CO_PURCHASE")
    assert new.score < old.score / 100
    claimless = ViewReader(made, policy, max_age_s=1)
    claimless.serve(POPULARITY)
    views = await claimless.read([basket("n")], 0.0)
    assert decide_batch([basket("n")], views, policy, 0)[0].offers == []


async def test_a_line_with_few_partners_is_offered_what_its_customers_came_back_for(
    tables: MakeTables,
) -> None:
    made = tables(window_panes=60, customer_window_panes=60)
    back = [(day, f"c{n}", sku) for n in range(6) for day, sku in ((n, "pq"), (n + 7, "i"))]
    # A product beside which orders speak for ten others has enough to say.
    rich = [(day, f"d{n}", sku) for n in range(6) for day, sku in ((n, "rABCDEFGHJK"), (n + 7, "i"))]
    others = [(20, f"e{n}", "x") for n in range(30)]
    await sell(made, sorted([*back, *rich, *others]))
    policy = Policy()

    views = await ViewReader(made, policy, max_age_s=1).read([basket("p"), basket("r")], 0.0)

    assert offers(views, policy, basket("p"), 25) == [("q", "CO_PURCHASE"), ("i", "BOUGHT_LATER")]
    assert "BOUGHT_LATER" not in dict(map(reversed, offers(views, policy, basket("r"), 25)))
    assert [(later.customers, len(later.heads)) for later in (await made.sampling.read()).later.values()] == [
        (6, 1)
    ] * 13


async def test_who_was_erased_is_not_counted_among_those_who_came_back(tables: MakeTables) -> None:
    made = tables(window_panes=60, customer_window_panes=60)
    await sell(made, sorted((day, f"c{n}", sku) for n in range(4) for day, sku in ((n, "p"), (n + 7, "i"))))
    await sell(made, [(20, f"e{n}", "x") for n in range(30)])
    before = (await made.sampling.read()).later
    owner = await made.fences.take("customer-erased", 0)
    wishes = [(n, erased(f"c{n}", day=20, event_id=f"e{n}")) for n in range(2)]
    await made.erasures.erase(owner, wishes, FIRST_PANE + 20, 0)
    await made.sampling.draw("none")

    assert [later.heads[0][1] for later in before.values()] == [4]
    assert (await made.sampling.read()).later == {}


async def test_a_sample_is_the_same_whoever_draws_it(tables: MakeTables) -> None:
    made = tables(window_panes=30)
    await put(made, "a", 5_00, category="tea")
    await sell(made, [(n % 5, f"c{n % 3}" if n % 2 else None, "ab"[: 1 + n % 2]) for n in range(40)])
    await take_back(made, await made.fences.take("order-returned", 0), 0, returned("3"))
    await made.sampling.draw("none")
    first = await made.sampling.read()

    await tables(window_panes=30).sampling.draw("none")

    assert await made.sampling.read() == first
    assert (first.orders, first.categories["tea"].orders) == (39, 39)


async def test_an_empty_basket_is_offered_what_is_popular(tables: MakeTables) -> None:
    made = tables(window_panes=30)
    policy = Policy(fallback="popular")
    await sell(made, [(0, None, "a"), (0, None, "b")])

    views = await ViewReader(made, policy, max_age_s=1).read([basket()], 0.0)

    assert [views.popular["web", "none"].orders] == [2]
