"""How much is measured: records of each backlog, rounds, and the load of the latency runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

PARTITIONS = 4
"""Of every topic."""

WARM_UP = 0.1
"""Share of a backlog that is handled before the clock starts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. Counts are records of the backlog that one contestant drains in one round."""

    rounds: int = 3
    consumed: int = 400_000
    """Raw getmany and our transport."""
    echoed: int = 100_000
    """Raw batch echo."""
    echoed_each: int = 50_000
    """Raw per-record echo."""
    stock: int = 20_000
    """Stock Faust."""
    baskets: int = 40_000
    orders: int = 30_000
    real_pairs: int = 600_000
    """Orders of a real history are taken until they make so many directed pairs."""
    redis_operations: int = 1_000_000
    skus: int = 5_000
    known_orders: int = 60_000
    """Orders counted before the first basket: what the decisions are made from."""
    customers: int = 5_000
    load_seconds: float = 8.0
    """Measured time of each latency run; a quarter of it goes before as warm-up."""
    load_per_s: float = 2_000.0
    """Stated rate of the first latency run; the second has half of the measured throughput."""

    def scaled(self, factor: float) -> Plan:
        """The same with so many times the records."""
        names = ("consumed", "echoed", "echoed_each", "stock", "baskets", "orders", "real_pairs")
        counts = {name: max(1_000, round(getattr(self, name) * factor)) for name in names}
        return replace(self, **counts, redis_operations=max(50_000, round(self.redis_operations * factor)))


QUICK = replace(Plan().scaled(0.2), rounds=1, known_orders=10_000, load_seconds=3.0)
"""To see that everything runs; its figures mean little."""
