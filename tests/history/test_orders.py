"""Order files: what is read, and how a bad line is named."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stream.errors import OperatorError
from stream.history.orders import Order, OrderItem, read_orders

ROW: dict[str, Any] = {
    "order_id": "536365",
    "customer_id": "17850",
    "ts": "2010-12-01T08:26:00",
    "channel": "online",
    "items": [
        {"sku": "85123A", "qty": 6, "unit_price": 2.55},
        {"sku": "71053", "qty": 1, "unit_price": None},
    ],
    "attrs": {"country": "United Kingdom"},
}
ORDER = Order(
    order_id="536365",
    customer_id="17850",
    at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
    channel="online",
    items=(OrderItem("85123A", 6, Decimal("2.55")), OrderItem("71053", 1, None)),
)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_plain_and_compressed_files_give_the_same_orders(tmp_path: Path) -> None:
    plain = write(tmp_path / "orders.jsonl", ROW)
    packed = tmp_path / "orders.of.any.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert list(read_orders(plain)) == list(read_orders(packed)) == [ORDER]


def test_parquet_gives_the_same_orders(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    row = {name: value for name, value in ROW.items() if name != "attrs"}
    as_time = {**row, "ts": datetime.fromisoformat(row["ts"])}
    for name, rows in (("text", [row]), ("time", [as_time])):
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / name)

        assert list(read_orders(tmp_path / name)) == [ORDER]


def test_parquet_times_in_nanoseconds_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist([{**ROW, "ts": datetime.fromisoformat(ROW["ts"])}])
    at = table.schema.get_field_index("ts")
    table = table.set_column(at, "ts", table["ts"].cast(pyarrow.timestamp("ns")))
    parquet.write_table(table, tmp_path / "orders.parquet")

    assert list(read_orders(tmp_path / "orders.parquet")) == [ORDER]


def test_times_with_an_offset_become_utc(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", {**ROW, "ts": "2010-12-01T09:26:00+01:00"})

    assert [order.at for order in read_orders(path)] == [ORDER.at]


def test_numbers_may_stand_for_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", {**ROW, "order_id": 536365, "customer_id": 17850})

    assert list(read_orders(path)) == [ORDER]


def test_blank_lines_are_no_orders(tmp_path: Path) -> None:
    assert list(read_orders(write(tmp_path / "orders.jsonl", "", ROW, "  "))) == [ORDER]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ({**ROW, "items": []}, "$.items"),
        ({**ROW, "ts": "yesterday, at noon"}, "isoformat"),
        ({**ROW, "items": [{"sku": "a", "qty": 0}]}, "$.items[0].qty"),
        ({**ROW, "items": [{"sku": "a", "qty": -3}]}, "$.items[0].qty"),
        ({**ROW, "items": [{"sku": "a", "qty": 1.5}]}, "not whole"),
        ({**ROW, "items": [{"sku": "a", "qty": 1, "unit_price": -1}]}, "below 0"),
        ({**ROW, "items": [{"sku": "x" * 129, "qty": 1}]}, "$.items[0].sku"),
        ({**ROW, "order_id": None}, "$.order_id"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, bad: object, said: str) -> None:
    path = write(tmp_path / "orders.jsonl", ROW, bad)

    with pytest.raises(OperatorError) as caught:
        list(read_orders(path))

    assert f"{path}, line 2: " in caught.value.problem
    assert said in caught.value.problem


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(OperatorError, match="nowhere"):
        list(read_orders(Path("nowhere.jsonl")))


def test_a_cut_off_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode() * 100)[:-20])

    with pytest.raises(OperatorError, match=r"orders\.jsonl\.gz cannot be read"):
        list(read_orders(path))
