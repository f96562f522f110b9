"""`basketstream acceptance`: how often offers are taken, and how often shoppers move up by themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from stream.commands.explain import policy_of
from stream.commands.open_tables import with_tables
from stream.commands.options import Json, PolicyFile, Redis
from stream.decisions.acceptance import MOVE, Acceptance, Counts
from stream.decisions.attribution import UPSELL, Place, place_of
from stream.settings import load_settings
from stream.tables.acceptance import ACTIONS, HELD, UP, Counted, acceptance_of
from stream.tables.tables import Tables

_WORDS = {letter: action for action, letter in ACTIONS.items()}


def acceptance(redis: Redis = None, policy: PolicyFile = None, json: Json = False) -> None:
    """How often offers were shown, clicked, added and dismissed, by kind, range or category, step and tier, and the
    chance that the next one is taken; and how often shoppers moved up within a range by themselves."""
    settings = load_settings(redis_url=redis)
    prior = policy_of(settings, policy).accept_prior

    async def run(tables: Tables) -> Counted:
        return await tables.acceptance.read()

    report = acceptance_report(with_tables(settings, run), prior)
    if json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report)


def acceptance_report(counted: Counted, prior: float) -> dict[str, Any]:
    """The figures; `chance` is the posterior mean that decisions use, of an upsell that of the next step."""
    known = acceptance_of(counted)
    offers, moves = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for into, panes in ((offers, counted.feedback), (moves, counted.moves)):
        for _, fields in panes.values():
            for field, count in fields.items():
                into[field[1:], field[0]] += count
    return {
        "prior": prior,
        "offers": [_offer(token, offers, known, prior) for token in sorted({token for token, _ in offers})],
        "moves": [_move(token, moves, known) for token in sorted({token for token, _ in moves})],
    }


def _offer(token: str, counts: Counter[tuple[str, str]], known: Acceptance, prior: float) -> dict[str, Any]:
    place = place_of(token)
    chance = (
        known.estimate(place, prior).chance
        if place.kind != UPSELL
        else known.estimate_step(place, NO_RUNG, prior).chance
    )
    return {
        **place._asdict(),
        **{word: counts[token, letter] for letter, word in _WORDS.items()},
        "chance": round(chance, 4),
    }


NO_RUNG = -1
"""In the place of the rung held: an offer's token does not name it, so the moves of the whole range speak."""


def _move(token: str, counts: Counter[tuple[str, str]], known: Acceptance) -> dict[str, Any]:
    climbed, tier, range_id = token.split("|", 2)
    rung, band = climbed.split(":")
    chance = known.chance_of_move(Place(MOVE, climbed, tier, range_id))
    found = Counts(counts[token, UP], counts[token, HELD])
    return {
        "range": range_id,
        "rung": int(rung),
        "band": band,
        "tier": tier,
        "held": found.trials,
        "up": found.taken,
        "chance": round(chance, 4),
    }


def _print(report: dict[str, Any]) -> None:
    console = Console()
    words = list(_WORDS.values())
    offers = Table(title=f"Offers (before anything is counted: {report['prior']:.0%})")
    for title in ("kind", "range or category", "step up to %", "tier"):
        offers.add_column(title)
    for title in (*words, "chance"):
        offers.add_column(title, justify="right")
    for row in report["offers"]:
        counted = (f"{row[word]:,}" for word in words)
        offers.add_row(row["kind"], row["scope"], row["band"], row["tier"], *counted, f"{row['chance']:.1%}")
    console.print(offers)
    moves = Table(title="Moves within a range, unprompted or not")
    for title in ("range", "from rung", "step up to %", "tier"):
        moves.add_column(title)
    for title in ("held", "up", "chance"):
        moves.add_column(title, justify="right")
    for row in report["moves"]:
        moves.add_row(
            *(row["range"], str(row["rung"]), row["band"], row["tier"]),
            *(f"{row['held']:,}", f"{row['up']:,}", f"{row['chance']:.1%}"),
        )
    console.print(moves)
