"""The command: a table for people, one line for machines, a picture, and what is said when something is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from stream.cli import app
from stream.errors import OperatorError
from stream.evaluation.plot import check_plot
from tests.evaluation.histories import order, paired


@pytest.fixture(name="orders")
def _orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    rows = [
        {
            "order_id": each.order_id,
            "ts": each.at.isoformat(),
            "items": [{"sku": item.sku, "qty": 1} for item in each.items],
        }
        for each in [*paired(Random(7), 400), order(0, ["a1"])]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_json_is_one_line_and_notes_go_to_stderr(orders: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(orders), "--json"])

    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    assert json.loads(line)["orders"] == 400
    assert "1 orders left out" in result.stderr


def test_the_table_names_every_scorer_and_the_picture_is_written(orders: Path, tmp_path: Path) -> None:
    picture = tmp_path / "hits.svg"

    result = CliRunner().invoke(
        app, ["evaluate", str(orders), "--first", "200", "--plot", str(picture)], env={"COLUMNS": "120"}
    )

    assert result.exit_code == 0
    assert "40 of 200 orders evaluated" in result.stdout
    for name in ("basketstream", "popularity", "baseline", "batch-ease", "item-knn", "HR@10"):
        assert name in result.stdout
    assert picture.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize("name", ["hits.pdf", "missing/hits.png"])
def test_a_picture_that_could_not_be_written_is_refused_before_anything_is_computed(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError):
        check_plot(tmp_path / name)


def test_without_the_extra_a_picture_is_refused_and_the_library_row_left_out(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.setitem(sys.modules, "implicit.nearest_neighbours", None)

    result = CliRunner().invoke(app, ["evaluate", str(orders), "--json"])

    assert "item-knn" not in json.loads(result.stdout)["scores"]
    assert "basketstream[evaluation]" in result.stderr
    with pytest.raises(OperatorError, match="matplotlib"):
        check_plot(tmp_path / "hits.png")
