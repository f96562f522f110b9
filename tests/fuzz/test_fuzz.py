"""A short, seeded run of what `make fuzz` does at length, and the codec on events of every type."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.tables import memory_scripts
from tests.fuzz.codec_target import EVENT_TYPES, check_bytes
from tests.fuzz.codec_target import seeds as codec_seeds
from tests.fuzz.tables_target import check_operations
from tests.fuzz.tables_target import seeds as table_seeds

SEEDS = list(codec_seeds())


def test_the_seeds_of_the_codec_hold_an_event_of_every_type() -> None:
    events = {raw[0] for raw in SEEDS if check_bytes(raw)}

    assert events == set(range(len(EVENT_TYPES)))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_record_is_an_event_that_survives_its_encoding_or_poison(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(raw) - 1))
        raw[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
        raw = raw or bytearray(b"0")

    check_bytes(bytes(raw))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_event_that_survives_its_encoding_or_poison(raw: bytes) -> None:
    check_bytes(raw)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_to_the_tables_they_equal_a_naive_recount(seed: int) -> None:
    dice = random.Random(seed)

    assert check_operations(dice.randbytes(150)) > 5


def test_the_seeds_of_the_tables_do_much_and_are_counted_right() -> None:
    assert max(check_operations(raw) for raw in list(table_seeds())[:10]) > 30


def test_tables_that_count_duplicates_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = memory_scripts.SCRIPTS["claim"]

    def claim_everything(data: dict[bytes, Any], keys: Sequence[bytes], args: Sequence[Any]) -> list[Any]:
        code, verdicts = claim(data, keys, args)
        return [code, b"1" * len(verdicts) if code == 0 else verdicts]

    monkeypatch.setitem(memory_scripts.SCRIPTS, "claim", claim_everything)

    with pytest.raises(AssertionError, match=" is not "):
        _check_all()


def _check_all() -> None:
    for raw in table_seeds():
        check_operations(raw)
