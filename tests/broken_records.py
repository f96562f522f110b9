"""Records that must end on a dead-letter topic, each with the code it ends there with; and ids that must not.

`BROKEN[topic][name]` is what arrives on `topic`. A record here has exactly one thing wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from stream.fields import MAX_LINES, MAX_RECORD_BYTES
from stream.topics import BASKET_UPDATED, ORDER_PLACED


class Broken(NamedTuple):
    """Key and value as they arrive, and the code of the dead letter."""

    key: bytes | None
    value: bytes | None
    code: str


ODD_IDS: tuple[str, ...] = (
    "{x}",
    "{",
    "}{",
    "a:b",
    "bs:v1:{t000}:orders",
    "x" * 128,
    " ",
    " leading and trailing ",
    "null",
    "0",
    "-1",
    "1e308",
    "NaN",
    "__proto__",
    "constructor",
    "return redis.call('FLUSHALL')",
    "]] os.exit() --[[",
    "'; DROP TABLE orders; --",
    '"quoted"',
    "back\\slash",
    "\\u0000",
    "\\n",
    "../../etc/passwd",
    "%00",
    "%s%n",
    "*",
    "?[a-z]",
    "$.lines[0]",
    "<script>alert(1)</script>",
    "\U0001f6d2\U0001f9d1\u200d\U0001f373",
    "\U0001f6d2" * 128,
    "\u0645\u0646\u062a\u062c-\u0661",
    "\u202eleft-to-right",
    "\ufeffbom",
    "e\u0301",
    "\u00e9",
    "\ufb01",
    "\u2028",
    "\u0085",
    "\uffff",
    "\U0010ffff",
)
"""Unusual, and allowed: an id is opaque text. Composed and decomposed forms are two ids."""


def basket(basket_id: Any = "b-1", **changes: Any) -> dict[str, Any]:
    """A good basket with some fields changed; a field changed to `...` is left out."""
    return _changed(
        {
            "event_id": "e-1",
            "occurred_at": "2024-03-01T09:30:00Z",
            "channel": "web",
            "basket_id": basket_id,
            "currency": "EUR",
            "lines": [line()],
        },
        changes,
    )


def order(order_id: Any = "o-1", **changes: Any) -> dict[str, Any]:
    """A good order with some fields changed; a field changed to `...` is left out."""
    body = basket()
    del body["basket_id"]
    return _changed({**body, "order_id": order_id}, changes)


def line(**changes: Any) -> dict[str, Any]:
    """A good line with some fields changed; a field changed to `...` is left out."""
    return _changed({"sku": "tea", "quantity": 1, "unit_price": 399}, changes)


def json_bytes(body: object) -> bytes:
    """JSON as a careless producer writes it: NaN, Infinity and lone surrogates included."""
    return json.dumps(body).encode()


def _changed(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}


Make = Callable[..., dict[str, Any]]


def _broken_bytes(make: Make, key: bytes) -> dict[str, Broken]:
    """What is no JSON object at all."""
    good = json_bytes(make())
    deep = b"[" * 100_000 + b"]" * 100_000
    text = {
        "truncated": good[:-10],
        "truncated in a string": good[:14],
        "blank": b"   ",
        "a zero byte": b"\x00",
        "trailing data": good + b"{}",
        "two objects": good + b"\n" + good,
        "byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "NaN price": json_bytes(make(lines=[line(unit_price=float("nan"))])),
        "Infinity price": json_bytes(make(lines=[line(unit_price=float("inf"))])),
        "-Infinity quantity": json_bytes(make(lines=[line(quantity=float("-inf"))])),
        "comment": good.replace(b"{", b"{/* hi */", 1),
        "single quotes": good.replace(b'"', b"'"),
        "trailing comma": good[:-1] + b",}",
        "raw control character": good.replace(b'"tea"', b'"t\nea"'),
        "lone surrogate": json_bytes(make(lines=[line(sku="\ud800")])),
        "half a surrogate pair": json_bytes(make(lines=[line(sku="\udc00x")])),
        "XML": b"<basket/>",
        "framed by a schema registry": b"\x00\x00\x00\x00\x07" + good,
    }
    return {
        **{name: Broken(key, value, "NOT_JSON") for name, value in text.items()},
        "null value": Broken(key, None, "EMPTY_VALUE"),
        "empty value": Broken(key, b"", "EMPTY_VALUE"),
        "10 MB": Broken(key, good[:-1] + b" " * (10 << 20) + b"}", "TOO_LARGE"),
        "one byte too large": Broken(key, good + b" " * (MAX_RECORD_BYTES + 1 - len(good)), "TOO_LARGE"),
        "invalid UTF-8": Broken(key, good.replace(b'"tea"', b'"\xff\xfe"'), "NOT_UTF8"),
        "surrogate encoded as UTF-8": Broken(key, good.replace(b"tea", b"\xed\xa0\x80"), "NOT_UTF8"),
        "array instead of object": Broken(key, json_bytes([make()]), "NOT_AN_OBJECT"),
        "JSON null": Broken(key, b"null", "NOT_AN_OBJECT"),
        "a number": Broken(key, b"42", "NOT_AN_OBJECT"),
        "a string of JSON": Broken(key, json_bytes(good.decode()), "NOT_AN_OBJECT"),
        "depth 100k": Broken(key, good[:-1] + b',"extra":' + deep + b"}", "NESTED_TOO_DEEP"),
        "depth 100k and never closed": Broken(key, b'{"extra":' + b"[" * 100_000, "NESTED_TOO_DEEP"),
        "depth 100k in a line": Broken(key, json_bytes(make(lines=7)).replace(b"7", deep), "SCHEMA"),
    }


def _broken_fields(make: Make, key: bytes, key_field: str) -> dict[str, Broken]:
    """What is an object, but not this event."""
    lines: dict[str, dict[str, Any]] = {
        "negative quantity": {"quantity": -5},
        "zero quantity": {"quantity": 0},
        "huge quantity": {"quantity": 10_001},
        "quantity of 40 digits": {"quantity": 10**40},
        "quantity 1e308": {"quantity": 1e308},
        "fractional quantity": {"quantity": 1.5},
        "quantity as text": {"quantity": "1"},
        "quantity true": {"quantity": True},
        "quantity null": {"quantity": None},
        "negative price": {"unit_price": -1},
        "price beyond all shops": {"unit_price": 10**12 + 1},
        "price with decimals": {"unit_price": 3.99},
        "no price": {"unit_price": ...},
        "no sku": {"sku": ...},
        "empty sku": {"sku": ""},
        "sku is a number": {"sku": 4711},
        "sku of 129 characters": {"sku": "x" * 129},
        "sku of 64 KB": {"sku": "x" * 65_536},
        "zero character in sku": {"sku": "a\x00b"},
        "newline at the end of sku": {"sku": "tea\n"},
        "delete character in sku": {"sku": "a\x7fb"},
        "escape character in sku": {"sku": "\x1b[2J"},
    }
    fields: dict[str, dict[str, Any]] = {
        "no lines": {"lines": ...},
        "lines null": {"lines": None},
        "lines an object": {"lines": {"0": line()}},
        "a line that is text": {"lines": ["tea"]},
        "too many lines": {"lines": [line()] * (MAX_LINES + 1)},
        "no event id": {"event_id": ...},
        "empty event id": {"event_id": ""},
        "event id null": {"event_id": None},
        "no time": {"occurred_at": ...},
        "time without offset": {"occurred_at": "2024-03-01T09:30:00"},
        "time as a number": {"occurred_at": 1_709_285_400},
        "time that is a date": {"occurred_at": "2024-03-01"},
        "30 February": {"occurred_at": "2024-02-30T09:30:00Z"},
        "time in words": {"occurred_at": "yesterday"},
        "currency in lower case": {"currency": "eur"},
        "currency a sign": {"currency": "€"},
        "currency with a newline": {"currency": "EUR\n"},
        "no channel": {"channel": ...},
        "control character in customer id": {"customer_id": "c\t1"},
        "customer id a list": {"customer_id": ["c-1"]},
        "no id": {key_field: ...},
    }
    bodies = {
        **{name: make(lines=[line(**changes)]) for name, changes in lines.items()},
        **{name: make(**changes) for name, changes in fields.items()},
        "empty object": {},
        "another event": {"event_id": "e", "occurred_at": "2024-03-01T09:30:00Z", "customer_id": "c"},
    }
    return {name: Broken(key, json_bytes(body), "SCHEMA") for name, body in bodies.items()}


def _broken_place(make: Make, key: bytes) -> dict[str, Broken]:
    """A good event in a record it does not fit."""
    good = json_bytes(make())
    times = {"2099": "2099-01-01T00:00:00Z", "9999": "9999-12-31T23:59:59-23:59"}
    past = {"1969": "1969-12-31T23:59:59.999Z", "1": "0001-01-01T00:00:00+23:59"}
    return {
        "null key": Broken(None, good, "KEY_MISSING"),
        "empty key": Broken(b"", good, "KEY_MISMATCH"),
        "key of another": Broken(b"someone-else", good, "KEY_MISMATCH"),
        "key in quotes": Broken(b'"' + key + b'"', good, "KEY_MISMATCH"),
        "key that is not UTF-8": Broken(b"\xff", good, "KEY_MISMATCH"),
        **{
            f"year {year}": Broken(key, json_bytes(make(occurred_at=at)), "FUTURE_TIME")
            for year, at in times.items()
        },
        **{
            f"year {year}": Broken(key, json_bytes(make(occurred_at=at)), "PAST_TIME")
            for year, at in past.items()
        },
    }


def _broken(make: Make, key: bytes, key_field: str) -> dict[str, Broken]:
    return {**_broken_bytes(make, key), **_broken_fields(make, key, key_field), **_broken_place(make, key)}


BROKEN: dict[str, dict[str, Broken]] = {
    BASKET_UPDATED: {
        **_broken(basket, b"b-1", "basket_id"),
        "negative version": Broken(b"b-1", json_bytes(basket(version=-1)), "SCHEMA"),
        "limit of -1 offers": Broken(b"b-1", json_bytes(basket(limits={"max_offers": -1})), "SCHEMA"),
        "limits a list": Broken(b"b-1", json_bytes(basket(limits=[])), "SCHEMA"),
    },
    ORDER_PLACED: {
        **_broken(order, b"o-1", "order_id"),
        "order without a line": Broken(b"o-1", json_bytes(order(lines=[])), "SCHEMA"),
        "suggestion id a number": Broken(b"o-1", json_bytes(order(lines=[line(suggestion_id=1)])), "SCHEMA"),
    },
}
