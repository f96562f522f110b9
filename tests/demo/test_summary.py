"""The result as scripts and people get it, and the live view."""

from __future__ import annotations

import io

import msgspec
from msgspec.structs import replace
from rich.console import Console

from stream.demo.answers import Answers, OpenBasket
from stream.demo.summary import Latency, Notes, Offers, Summary, latency_of, show
from stream.demo.view import Progress, View
from tests.demo.test_answers import suggestion

SUMMARY = Summary(
    orders=2,
    baskets=5,
    suggestions=5,
    offers=Offers(cross_sell=7, upsell=1),
    hit_rate_at_10=0.25,
    latency_ms=Latency(p50=10.0, p99=20.0),
    events_per_s=100.0,
    dead_letters=0,
    tables_verified=True,
    broker="embedded",
    redis="embedded",
)
NOTES = Notes(
    added_lines=3,
    duplicates=0,
    conflicting=0,
    restarts=1,
    set_up_s=1.0,
    selling_s=2.0,
    proof_s=3.0,
    rows={"order": 2},
    differences=["missing: a row"],
)


def test_the_json_line_is_the_one_that_was_promised() -> None:
    assert msgspec.json.encode(SUMMARY) == (
        b'{"orders":2,"baskets":5,"suggestions":5,"offers":{"cross_sell":7,"upsell":1},"hit_rate_at_10":0.25,'
        b'"latency_ms":{"p50":10.0,"p99":20.0},"events_per_s":100.0,"dead_letters":0,"tables_verified":true,'
        b'"broker":"embedded","redis":"embedded"}'
    )


def test_a_run_is_good_when_everything_is() -> None:
    assert SUMMARY.good
    assert not replace(SUMMARY, tables_verified=False).good
    assert not replace(SUMMARY, dead_letters=1).good
    assert not replace(SUMMARY, suggestions=4).good


def test_percentiles_are_milliseconds() -> None:
    assert latency_of([]) == Latency(0.0, 0.0)
    assert latency_of([n / 1_000 for n in range(101)]) == Latency(50.0, 99.0)


def drawn(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_people_see_the_same_numbers() -> None:
    console = Console(file=io.StringIO(), width=140)

    show(console, replace(SUMMARY, tables_verified=False), replace(NOTES, conflicting=3, duplicates=2))

    text = drawn(console)
    for expected in (
        "7 cross-sell, 1 upsell",
        "25.0%",
        "NOT equal",
        "missing: a row",
        "2 order",
        "conflicts",
    ):
        assert expected in text


def test_the_view_shows_the_newest_basket_with_its_offers() -> None:
    answers = Answers()
    basket = OpenBasket(["bread", "butter"])
    answers.expect("e1", basket, 1, 0.0)
    console = Console(file=io.StringIO(), width=120)
    view = View(answers, {"bread": "Rye bread"}, lambda: Progress("selling", 3, 10, 20, 2.0))

    console.print(view.draw())
    answers.read(suggestion("e1", "jam"), now_s=0.0)
    console.print(view.draw())

    text = drawn(console)
    for expected in ("selling", "3 of 10 orders", "12 events/s", "Rye bread", "+ jam", "why"):
        assert expected in text
