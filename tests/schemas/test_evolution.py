"""Which changes of a schema break somebody."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream import contracts
from stream.channels import BASKETS, CHANNELS, SUGGESTIONS
from stream.codec import decode, encode
from stream.contracts.__main__ import main
from stream.contracts.evolution import breaks, breaks_in
from stream.contracts.json_schema import json_schema
from stream.events import BasketUpdated
from tests.broken_records import basket, json_bytes

Schema = dict[str, Any]
INPUT, OUTPUT = json_schema(BASKETS), json_schema(SUGGESTIONS)


def changed(schema: Schema, change: Callable[[Schema], object]) -> Schema:
    after = copy.deepcopy(schema)
    change(after)
    return after


def test_no_change_breaks_nothing() -> None:
    for channel in CHANNELS:
        schema = json_schema(channel)
        assert breaks(schema, schema, sent=channel.direction == "send") == []
    assert breaks_in(contracts.SCHEMAS) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["properties"].update(note={"type": "string"}),
        lambda s: s["required"].remove("channel"),
        lambda s: s["$defs"]["Line"]["properties"]["quantity"].update(maximum=20_000),
        lambda s: s["$defs"]["Line"]["properties"]["quantity"].update(minimum=0),
        lambda s: s["properties"]["currency"].pop("pattern"),
        lambda s: s["properties"]["version"]["anyOf"].append({"type": "string"}),
        lambda s: s.update(description="said better"),
    ],
)
def test_an_input_may_take_more_than_before(change: Callable[[Schema], object]) -> None:
    assert breaks(INPUT, changed(INPUT, change), sent=False) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s["properties"].pop("store_id"), "$.store_id: removed"),
        (lambda s: s["required"].append("customer_id"), "$.customer_id: is now required"),
        (
            lambda s: (s["properties"].update(till={"type": "string"}), s["required"].append("till")),
            "$.till: is now required",
        ),
        (
            lambda s: s["$defs"]["Line"]["properties"]["quantity"].update(maximum=99),
            "$.lines[].quantity: maximum was 10000, is 99",
        ),
        (lambda s: s["properties"]["lines"].update(minItems=1), "$.lines: minItems was None, is 1"),
        (lambda s: s["properties"]["lines"].update(type="object"), "$.lines: type was 'array', is 'object'"),
        (lambda s: s["properties"]["version"]["anyOf"].pop(), "$.version: fewer kinds of value"),
    ],
)
def test_an_input_may_not_ask_for_more(change: Callable[[Schema], object], told: str) -> None:
    assert breaks(INPUT, changed(INPUT, change), sent=False) == [told]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s["properties"].pop("tier"), ["$.tier: removed"]),
        (lambda s: s["required"].remove("tier"), ["$.tier: is now optional"]),
        (
            lambda s: s["properties"]["timing"]["enum"].append("later"),
            ["$.timing: ['later'] may be sent now"],
        ),
        (lambda s: s["properties"]["timing"]["enum"].pop(), []),
        (lambda s: s["properties"].update(note={"type": "string"}), []),
        (
            lambda s: s["properties"]["basket_id"]["anyOf"].append({"type": "integer"}),
            ["$.basket_id: more kinds of value"],
        ),
    ],
)
def test_an_output_may_not_surprise_its_reader(change: Callable[[Schema], object], told: list[str]) -> None:
    assert breaks(OUTPUT, changed(OUTPUT, change), sent=True) == told


def test_an_input_may_not_lose_a_word_it_took() -> None:
    returns = json_schema(next(channel for channel in CHANNELS if channel.topic == "order-returned"))
    after = changed(returns, lambda s: s["properties"]["reason"]["enum"].remove("cancelled"))

    assert breaks(returns, after, sent=False) == ["$.reason: ['cancelled'] no longer taken"]


def test_the_generator_refuses_to_break_a_published_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = changed(INPUT, lambda s: s["properties"].update(gone={"type": "string"}))
    (tmp_path / "basket-updated.v1.json").write_text(json.dumps(published))

    assert main([], tmp_path) == 1
    assert "basket-updated.v1.json: $.gone: removed" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
    assert main(["--allow-breaks"], tmp_path) == 0
    assert main([], tmp_path) == 0


class OlderBasket(msgspec.Struct):
    """A reader of yesterday."""

    basket_id: str
    lines: list[dict[str, Any]]


class NewerBasket(BasketUpdated, frozen=True, kw_only=True, gc=False):
    """A producer of tomorrow: one optional field more."""

    gift_wrap: bool = False


def test_old_readers_read_new_events_and_new_readers_old_ones() -> None:
    newer = decode(NewerBasket, json_bytes(basket(gift_wrap=True)))
    assert decode(BasketUpdated, encode(newer)) == decode(BasketUpdated, json_bytes(basket()))
    assert decode(OlderBasket, encode(newer)).basket_id == "b-1"
    assert decode(NewerBasket, json_bytes(basket())).gift_wrap is False
