"""What has to be reached. A mark is a ratio within one run: absolute figures belong to the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct

from benchmarks.rounds import Rate

STOCK = ("faust-for", "faust-take")


class Mark(Struct, frozen=True):
    """`value` has to be at least `least`; None when the run did not measure it."""

    name: str
    least: float
    value: float | None

    @property
    def reached(self) -> bool | None:
        """None when it was not measured."""
        return None if self.value is None else self.value >= self.least


Rates = Mapping[str, Sequence[Rate]]


def marks(rates: Rates) -> list[Mark]:
    """Every mark, from the medians over the rounds."""
    transport, raw = median_of(rates, "transport"), median_of(rates, "raw-getmany")
    stock = [rate for name in STOCK if (rate := median_of(rates, name)) is not None]
    return [
        Mark("transport / raw getmany", 0.6, _ratio(transport, raw)),
        Mark("transport / the better stock Faust", 20.0, _ratio(transport, max(stock, default=None))),
        Mark("runs whose commits reached the end of the log", 1.0, _committed(rates)),
        Mark(
            "basket job / raw batch echo",
            1 / 3,
            _ratio(median_of(rates, "basket-job"), median_of(rates, "raw-batch-echo")),
        ),
        Mark("20 us / a decision in batches of 500", 1.0, _ratio(20.0, _quickest(rates, "decisions-small"))),
        Mark(
            "a decision over 1,000 SKUs / over 1,000,000",
            0.85,
            _ratio(_quickest(rates, "decisions-small"), _quickest(rates, "decisions-large")),
        ),
        Mark(
            "order job, directed pairs / redis-benchmark ZINCRBY",
            0.5,
            _ratio(median_of(rates, "order-job", "pairs_per_s"), median_of(rates, "redis-zincrby")),
        ),
    ]


def median_of(rates: Rates, name: str, field: str = "per_s") -> float | None:
    """The median over the rounds of a rate, or of what it says besides; None when it was not measured."""
    given = [rate.per_s if field == "per_s" else rate.more[field] for rate in rates.get(name, ())]
    return median(given) if given else None


def _quickest(rates: Rates, name: str) -> float | None:
    """CPU microseconds an event in the best round: this is no contest for a machine, but what the code costs."""
    spent = [rate.cpu_us[0] for rate in rates.get(name, ()) if rate.cpu_us is not None]
    return min(spent, default=None)


def _committed(rates: Rates) -> float | None:
    """The share of the runs that commit."""
    known = [rate.committed for of in rates.values() for rate in of if rate.committed is not None]
    return sum(known) / len(known) if known else None


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base
