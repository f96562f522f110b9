"""What must hold at the end of a round: invariants I1 to I6 of the fault matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from stream.settings import Settings
from stream.tables.dump import dump_rows
from stream.tables.tables import Tables
from tests.faults.group import Group
from tests.faults.load import BASKETS, CUSTOMERS, ERASURES, ORDERS, PRODUCTS, RETURNS
from tests.faults.reference import Record, Reference, Rules
from tests.faults.watch import Watch

SUGGESTIONS, DEAD = "suggestions", "-dlt"
BATCH_SIZES = (1, 97)
"""The reference counts in batches of these sizes; both must give the same."""
SHOWN = 12
"""Differences that an error shows."""
MOST_RSS = 600 << 20
MOST_DESCRIPTORS = 250


class Disproved(AssertionError):
    """An invariant does not hold."""


@dataclass
class Log:
    """The records of a round as Kafka holds them, the ones that must be dead letters left out."""

    orders: list[Record] = field(default_factory=list)
    baskets: list[Record] = field(default_factory=list)
    returns: list[Record] = field(default_factory=list)
    erasures: list[Record] = field(default_factory=list)

    @classmethod
    async def read(cls, group: Group, poisoned: set[tuple[str, int, int]]) -> Log:
        """Read it back from Kafka, by position."""

        async def good(topic: str) -> list[Record]:
            return [
                Record(r.partition, r.offset, r.key, r.value)
                for r in await group.read(topic)
                if (topic, r.partition, r.offset) not in poisoned
            ]

        return cls(await good(ORDERS), await good(BASKETS), await good(RETURNS), await good(ERASURES))


def rules_of(settings: Settings) -> Rules:
    """The reference's rules under these settings."""
    return Rules(
        pane_ms=settings.pane_s * 1_000,
        window_panes=settings.window_panes,
        customer_window_panes=settings.customer_window_panes,
        tiers=settings.tier_table(),
    )


def recount(log: Log, rules: Rules) -> Reference:
    """The reference of a log, counted in batches of two sizes that must agree."""
    counted = []
    for size in BATCH_SIZES:
        reference = Reference(rules, size)
        reference.place(log.orders)
        reference.take_back(log.returns)
        reference.erase(log.erasures)
        counted.append(reference)
    assert counted[0].rows() == counted[1].rows(), "the reference depends on its batch size"
    return counted[0]


async def prove_counts(tables: Tables, reference: Reference) -> int:
    """I1: every row of the tables is the reference's, integer for integer, and no other; the rows compared."""
    expected, found = reference.rows(), await rows_of(tables)
    wrong = [
        f"{' '.join(key)}: the tables hold {found.get(key)}, the log makes {expected.get(key)}"
        for key in sorted(expected.keys() | found.keys())
        if not _same(expected.get(key), found.get(key))
    ]
    claims, right = await claims_of(tables), reference.claims()
    # What left the window lingers for a while, and is void.
    claims = {ident: claim for ident, claim in claims.items() if claim[2] >= reference.first_live}
    wrong += [
        f"claim {ident.hex()}: {claims.get(ident)} held, {right.get(ident)} expected"
        for ident in sorted(claims.keys() | right.keys())
        if claims.get(ident) != right.get(ident)
    ]
    _demand(not wrong, "I1", wrong)
    return len(expected) + len(claims)


async def rows_of(tables: Tables) -> dict[tuple[str, ...], Any]:
    """What the tables hold, in the reference's words."""
    rows: dict[tuple[str, ...], Any] = {}
    async for row in dump_rows(tables):
        match row["table"]:
            case "co_purchase":
                rows["co_purchase", row["sku"], row["partner"]] = row["count"]
            case "order_count":
                rows["order_count", row["sku"]] = row["count"]
            case "order":
                rows["order", row["order_id"], str(row["pane"])] = tuple(row["skus"])
            case "customer":
                rows["customer", row["customer_id"]] = (row["orders"], row["spend"], row["tier"])
            case "diary":
                bought = Counter({(sku, pane): times for sku, pane, times in row["purchases"]})
                rows["diary", row["customer_id"]] = bought
            case other:
                raise AssertionError(f"the reference knows no table {other}")
    return rows


async def claims_of(tables: Tables) -> dict[bytes, tuple[int, int, int]]:
    """Digest of an order id -> (partition, offset, pane) of the record that holds the claim."""
    tags = range(tables.layout.tags)
    answers = await tables.store.commands([("HGETALL", tables.keys.claims(tag)) for tag in tags])
    return {
        ident: (
            int.from_bytes(claim[:4], "big"),
            int.from_bytes(claim[4:12], "big"),
            int.from_bytes(claim[12:16], "big", signed=True),
        )
        for answer in answers
        for ident, claim in zip(answer[::2], answer[1::2], strict=True)
    }


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, tuple) and expected and isinstance(expected[-1], frozenset):
        return found is not None and expected[:-1] == found[:-1] and found[-1] in expected[-1]
    return bool(expected == found)


def prove_suggestions(ids: Sequence[str], expected: Mapping[str, int], most: int) -> int:
    """I2: every basket is answered under its id, no other id is there, at most `most` come twice; how many did."""
    found = Counter(ids)
    wrong = [f"no suggestion {ident}" for ident in sorted(expected.keys() - found.keys())]
    wrong += [f"suggestion {ident} answers no basket" for ident in sorted(found.keys() - expected.keys())]
    wrong += [
        f"suggestion {i} came {found[i]} times for {n} baskets"
        for i, n in expected.items()
        if 0 < found[i] < n
    ]
    twice = sum((found - Counter(dict(expected))).values())
    if twice > most:
        wrong.append(f"{twice} suggestions came again, at most {most} may")
    _demand(not wrong, "I2", wrong)
    return twice


def prove_dead_letters(
    topic: str,
    letters: Sequence[ConsumerRecord[bytes, bytes]],
    poisoned: set[tuple[str, int, int]],
    most: int,
) -> int:
    """Each poisoned record is a dead letter with its position, no other record is; how many came again."""
    found: Counter[tuple[str, int, int]] = Counter()
    for letter in letters:
        headers = dict(letter.headers)
        place = (int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
        found[topic, *place] += 1
    expected = {place for place in poisoned if place[0] == topic}
    wrong = [f"no dead letter for {place}" for place in sorted(expected - found.keys())]
    wrong += [f"a dead letter for {place}, which is sound" for place in sorted(found.keys() - expected)]
    again = sum(found.values()) - len(found)
    if again > most:
        wrong.append(f"{again} dead letters of {topic} came again, at most {most} may")
    _demand(not wrong, "dead letters", wrong)
    return again


def prove_watched(watch: Watch, *, silence_s: float) -> None:
    """I4, I5 and I6, as far as they were seen while the round ran."""
    wrong = list(watch.violations)
    if watch.most_rss > MOST_RSS:
        wrong.append(f"I5: a worker took {watch.most_rss >> 20} MiB, at most {MOST_RSS >> 20} are right")
    if watch.most_descriptors > MOST_DESCRIPTORS:
        wrong.append(f"I5: a worker had {watch.most_descriptors} descriptors open")
    if watch.longest_silence_s > silence_s:
        wrong.append(
            f"I6: a partition with lag was silent for {watch.longest_silence_s:.1f} s (> {silence_s:g} s)"
        )
    _demand(not wrong, "I4 to I6", wrong)


def _demand(holds: bool, invariant: str, wrong: Sequence[str]) -> None:
    if not holds:
        shown = "\n  ".join(wrong[:SHOWN])
        raise Disproved(f"{invariant} does not hold, {len(wrong)} differences:\n  {shown}")


DEAD_LETTER_TOPICS = (ORDERS, BASKETS, RETURNS, PRODUCTS, CUSTOMERS, ERASURES)
