"""Rows of a history file: JSON Lines, plain or gzip, or Parquet with the same columns."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stream.errors import OperatorError

_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_PARQUET_ROWS = 2_000
"""Parquet rows turned into objects at a time."""


class Row(NamedTuple):
    """One row as JSON; `number` counts from 1, as editors do."""

    number: int
    raw: bytes


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, blank lines left out; the content decides the format, not the name.

    Raises OperatorError when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == _PARQUET_MAGIC:
            yield from _parquet_rows(path)
            return
        with gzip.open(path) if magic.startswith(_GZIP_MAGIC) else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield Row(number, line)
    except (OSError, EOFError) as exc:
        raise OperatorError(f"{path} cannot be read: {exc}", "Check the path and the file.") from exc


def bad_row(path: Path, number: int, problem: object) -> OperatorError:
    """The error for a row that does not hold what it should."""
    return OperatorError(
        f"{path}, line {number}: {problem}",
        "Correct or delete the line; docs/order-history.md has the format.",
    )


def import_pyarrow(module: str) -> Any:
    """`pyarrow.<module>`, imported when first needed; raises OperatorError naming the extra."""
    import importlib

    try:
        return importlib.import_module(f"pyarrow.{module}")
    except ImportError as exc:
        raise OperatorError(
            "Reading Parquet needs pyarrow, which is not installed.", "pip install 'basketstream[demo]'"
        ) from exc


def _parquet_rows(path: Path) -> Iterator[Row]:
    parquet = import_pyarrow("parquet")
    arrow_errors: Any = import_pyarrow("lib").ArrowException
    number = 0
    try:
        file = parquet.ParquetFile(path)
        for batch in file.iter_batches(_PARQUET_ROWS):
            for row in _without_nanoseconds(batch).to_pylist():
                number += 1
                yield Row(number, msgspec.json.encode(row))
    except arrow_errors as exc:
        raise OperatorError(f"{path} cannot be read as Parquet: {exc}", "Write the file anew.") from exc


def _without_nanoseconds(batch: Any) -> Any:
    """Python's datetime ends at microseconds, and so do we; the rest is cut off."""
    types: Any = import_pyarrow("types")
    for i, field in enumerate(batch.schema):
        if types.is_timestamp(field.type) and field.type.unit == "ns":
            lib = import_pyarrow("lib")
            coarse = batch.column(i).cast(lib.timestamp("us", tz=field.type.tz), safe=False)
            batch = batch.set_column(i, field.name, coarse)
    return batch
