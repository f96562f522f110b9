"""What every offer of a product says, kept as text in one heap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.decisions.assortment import Assortment
from stream.decisions.labels import BLOCK, Label, Labels
from stream.identity import offer_tail
from tests.decisions.shop import product

IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TITLES = (
    st.none()
    | st.sampled_from(["", "\0", "\x01", "\x01\x01", "\0\x01", " ", "a\0b", "tea \0 ", "ü" * 200, "茶\n"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)
LABELS = st.tuples(IDS, IDS | st.sampled_from(["\0", "a\0b", "\x01"]), TITLES)
"""Labels of any length, over many blocks and just at the end of one; SKUs and titles hold anything."""

ITEMS = st.integers(0, 7) | st.just(3_000)
STEPS = st.lists(st.tuples(ITEMS, LABELS) | st.lists(ITEMS, max_size=12), max_size=40)

OF_ONE_BLOCK: Label = ("t", "s", "x")


class Shelf:
    """Says what items are called, and writes down who was asked for."""

    def __init__(self) -> None:
        self.said: dict[int, Label] = {}
        self.asked: list[int] = []
        self.labels = Labels(self._label)

    def _label(self, item: int) -> Label:
        self.asked.append(item)
        return self.expected(item)

    def expected(self, item: int) -> Label:
        return self.said.get(item, OF_ONE_BLOCK)

    def change(self, item: int, label: Label) -> None:
        self.said[item] = label
        self.labels.forget(item)

    def forget(self, *items: int) -> None:
        for item in items:
            self.labels.forget(item)

    def read(self, *items: int) -> list[Label]:
        return list(zip(*self.labels.read(np.array(items, np.int64)), strict=True))

    def asked_for(self, *items: int) -> list[int]:
        """Who is asked for anew when these are read."""
        self.asked.clear()
        self.read(*items)
        return self.asked


@contextmanager
def first_blocks(number: int) -> Iterator[Shelf]:
    """A shelf whose heap has room for so many blocks at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.decisions.labels._FIRST_BLOCKS", number)
        yield Shelf()


@given(st.integers(1, 12), STEPS)
@example(1, [[n, 3_000] for n in range(8)])
@example(1, [(0, ("t", "s", "\0")), [0, 1, 0], (0, ("t", "s", "y")), [1, 0]])
@example(1, [(0, ("t", "s", "\x01")), (1, ("t", "s", None)), [0, 1, 0, 1], (0, ("t", "s", None)), [1, 0]])
@example(1, [(0, ("", "", "")), (1, ("", "", None)), (2, ("", "", " ")), [2, 0, 1]])
def test_labels_read_are_those_that_are_said_now(
    room: int, steps: list[tuple[int, Label] | list[int]]
) -> None:
    with first_blocks(room) as shelf:
        for step in steps:
            if isinstance(step, tuple):
                shelf.change(*step)
            else:
                assert shelf.read(*step) == [shelf.expected(item) for item in step]
        everything = [*range(8), 3_000, *range(7, -1, -1)]
        assert shelf.read(*everything) == [shelf.expected(item) for item in everything]


@pytest.mark.parametrize("letter", ["x", "ü", "茶", "\x01", "\0"])
def test_a_title_of_any_length_comes_back_whole(letter: str) -> None:
    shelf = Shelf()
    titles = [letter * length for length in [*range(3 * BLOCK), 100_000]]
    shelf.said = {item: ("t", f"s{item}", title) for item, title in enumerate(titles)}

    assert [title for _, _, title in shelf.read(*range(len(titles)))] == titles


def test_nothing_is_asked_of_a_label_that_was_read_before() -> None:
    shelf = Shelf()

    assert shelf.read() == []
    assert shelf.asked == []
    assert shelf.asked_for(5, 2, 5, 9) == [5, 2, 9], "once each, of one read"
    assert shelf.asked_for(9, 2, 1, 5) == [1]
    shelf.forget(2)
    assert shelf.asked_for(9, 2, 1, 5) == [2]


def test_a_label_says_what_it_said_until_it_is_forgotten() -> None:
    shelf = Shelf()
    shelf.said = {item: ("t", "s", title) for item, title in enumerate(("old", "o\0ld", "\x01"))}
    before = shelf.read(0, 1, 2)
    shelf.said = dict.fromkeys(range(3), ("t", "s", "new"))

    assert shelf.read(0, 1, 2) == before
    shelf.forget(0, 1, 2)
    assert shelf.read(0, 1, 2) == [("t", "s", "new")] * 3


def test_all_are_forgotten_when_more_than_half_of_what_was_written_is_outdated() -> None:
    with first_blocks(4) as shelf:
        shelf.read(*range(10))
        shelf.forget(*range(5))
        assert shelf.asked_for(6, 7, 8, 9) == [], "half of it is not more than half"

        shelf.forget(5)
        assert shelf.asked_for(6, 7, 8, 9) == [6, 7, 8, 9]
        shelf.forget(6, 7, 8)
        assert shelf.asked_for(9) == [], "it is counted anew as well"


def test_a_small_heap_may_be_outdated_as_a_whole() -> None:
    with first_blocks(4) as shelf:
        shelf.read(0, 1, 2, 3, 9)
        shelf.forget(0, 1, 2, 3)
        assert shelf.asked_for(9) == [], "as many blocks as the heap has at first are not more"

        shelf.read(0)
        shelf.forget(0)
        assert shelf.asked_for(9) == [9]


def test_a_long_label_is_outdated_by_all_its_blocks() -> None:
    with first_blocks(4) as shelf:
        shelf.said[0] = ("t", "s", "x" * 5 * BLOCK)
        shelf.read(0, 9)
        shelf.forget(0)

        assert shelf.asked_for(9) == [9]


def test_what_was_not_read_since_it_changed_outdates_nothing() -> None:
    with first_blocks(1) as shelf:
        shelf.read(0, 1, 2, 3)
        for _ in range(100):
            shelf.forget(0, 5, 6, 7, 5_000)

        assert shelf.asked_for(1, 2, 3) == []
        assert shelf.asked_for(5, 1, 0) == [5, 0]


def test_what_changes_over_and_over_does_not_fill_the_memory() -> None:
    with first_blocks(8) as shelf:
        for n in range(2_000):
            shelf.change(n % 10, ("t", "s", str(n)))
            shelf.read(n % 10)

        assert len(shelf.labels._heap) <= 64
        assert shelf.read(*range(10)) == [("t", "s", str(1_990 + n)) for n in range(10)]


def test_a_heap_that_is_full_grows() -> None:
    with first_blocks(1) as shelf:
        shelf.said = {item: ("t", f"sku-{item}", "x" * item) for item in range(300)}

        assert shelf.read(*range(300)) == [shelf.said[item] for item in range(300)]
        assert shelf.read(*range(299, -1, -1)) == [shelf.said[item] for item in range(299, -1, -1)]


def test_the_labels_of_an_assortment_follow_its_products() -> None:
    goods = Assortment()
    tea, milk = goods.add("tea", product("tea", title="Green\0tea")), goods.add("milk")
    tails = [offer_tail("cross_sell", sku) for sku in ("tea", "milk")]

    assert list(zip(*goods.labels.read(np.array([tea, milk])), strict=True)) == [
        (tails[0], "tea", "Green\0tea"),
        (tails[1], "milk", None),
    ]

    goods.put(tea, product("tea", title=None))
    goods.put(milk, product("milk", title="\x01"))

    assert list(zip(*goods.labels.read(np.array([milk, tea])), strict=True)) == [
        (tails[1], "milk", "\x01"),
        (tails[0], "tea", None),
    ]
