"""Catalogue files, and the rungs that prices make."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from stream.errors import OperatorError
from stream.events import Complement
from stream.history.catalogue import CatalogItem, read_catalog, with_rungs


def item(sku: str, price: str | None, range_id: str | None = "r", rung: int | None = None) -> CatalogItem:
    return CatalogItem(
        sku=sku, title=sku, price=None if price is None else Decimal(price), range_id=range_id, rung=rung
    )


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_rung_is_the_rank_of_the_price_in_the_range() -> None:
    items = with_rungs(
        [item("dear", "30"), item("cheap", "10.00"), item("same", "10"), item("other", "5", "s")]
    )

    assert {i.sku: i.rung for i in items} == {"dear": 2, "cheap": 1, "same": 1, "other": 1}


def test_a_member_without_a_price_leaves_the_range() -> None:
    assert with_rungs([item("a", None)]) == [item("a", None, None)]


def test_a_rung_that_is_given_stays() -> None:
    assert [i.rung for i in with_rungs([item("a", "9", rung=7), item("b", "1")])] == [7, 1]


def test_fields_the_format_does_not_know_become_features(tmp_path: Path) -> None:
    row = {"sku": 214, "title": None, "category": "Helmets", "range": "H", "price": 34.99}
    path = write(tmp_path / "catalog.jsonl", {**row, "model": "Sport", "x": []})

    assert read_catalog(path) == [
        CatalogItem(
            sku="214",
            title="214",
            category=("Helmets",),
            price=Decimal("34.99"),
            range_id="H",
            rung=1,
            features={"model": "Sport"},
        )
    ]


def test_ranges_with_rungs_kinds_and_complements_are_read(tmp_path: Path) -> None:
    row = {
        "sku": "a",
        "title": "A",
        "category": ["wide", "narrow"],
        "range": {"id": "r", "rung": 4},
        "price": None,
        "kind": "service",
        "complements": [{"sku": "b"}],
    }
    [product] = read_catalog(write(tmp_path / "catalog.jsonl", row))

    assert (product.range_id, product.rung, product.kind) == ("r", 4, "service")
    assert product.category == ("wide", "narrow")
    assert product.complements == (Complement("b"),)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"title": "no sku"}, "sku"),
        ({"sku": "b", "price": -1}, "below 0"),
        ({"sku": "b", "kind": "toy"}, "$.kind"),
        ({"sku": "a"}, "earlier line"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, bad: object, said: str) -> None:
    path = write(tmp_path / "catalog.jsonl", {"sku": "a"}, bad)

    with pytest.raises(OperatorError) as caught:
        read_catalog(path)

    assert f"{path}, line 2: " in caught.value.problem
    assert said in caught.value.problem
