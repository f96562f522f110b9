"""What fields are made of: bounded text, money, times. Everything that travels on a topic is built from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

MAX_RECORD_BYTES = 1 << 20
"""A record of more bytes than this is a dead letter before it is parsed."""

MAX_LINES = 2_000
"""Most lines a basket or an order may hold (the largest real order seen has 1,114)."""

MAX_ID_CHARACTERS = 128

ID_PATTERN = r"^[^\x00-\x1f\x7f]*$"
"""No control characters in an id. As a msgspec pattern it made decoding three times slower (13 ids a basket),
so the codec looks for it only in records that hold a backslash: JSON cannot carry one unescaped."""

DURATION_PATTERN = (
    r"^P([0-9]{1,4}W|[0-9]{1,5}D|([0-9]{1,5}D)?T"
    r"([0-9]{1,6}H([0-9]{1,8}M)?([0-9]{1,9}S)?|[0-9]{1,8}M([0-9]{1,9}S)?|[0-9]{1,9}S))$"
)
"""Weeks, or days and a time of day: units that are the same length on every calendar; never empty."""

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_ID_CHARACTERS,
        description="Opaque text without control characters.",
        extra_json_schema={"pattern": ID_PATTERN},
    ),
]
Text = Annotated[str, Meta(max_length=512)]
Word = Annotated[str, Meta(max_length=128)]
# Python's `$` also matches before a final newline: the lengths (for a duration, `\Z`) shut that out, and `\d`
# would take the digits of every script. No look-ahead either: Go's validators cannot read one.
Currency = Annotated[
    str, Meta(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$", description="ISO 4217, in capitals.")
]
Money = Annotated[
    int, Meta(ge=0, le=10**12, description="Minor units of the currency: 1299 EUR is 12.99 euro.")
]
Quantity = Annotated[int, Meta(ge=1, le=10_000)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset.")]
Duration = Annotated[
    str,
    Meta(
        max_length=32,
        pattern=DURATION_PATTERN.replace("$", r"\Z"),
        description="ISO 8601, in weeks, or in days and a time: P30D, P4W, PT12H.",
        extra_json_schema={"pattern": DURATION_PATTERN},
    ),
]
LocalTime = Annotated[
    str,
    Meta(
        min_length=5, max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM, 24 hours."
    ),
]
Weight = Annotated[float, Meta(gt=0, le=1e6)]
