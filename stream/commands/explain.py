"""`basketstream explain`, `basketstream what-if`: why a suggestion was made, and what a basket would be offered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from stream.commands.open_tables import with_tables
from stream.commands.options import Broker, Json, PolicyFile, Redis
from stream.decisions.examine import Examination
from stream.decisions.policy import Policy
from stream.explanation.asking import Asking
from stream.explanation.why import Explanation, examine_event, read_basket
from stream.explanation.why import explain as explain_suggestion
from stream.policy_file import read_policy
from stream.settings import Settings, load_settings
from stream.suggestion import Offer, Suppressed
from stream.tables.tables import Tables

_json = msgspec.json.Encoder().encode


def policy_of(settings: Settings, file: Path | None = None) -> Policy:
    """The policy of a file, else that of the settings, as a worker would have it."""
    path = file or (Path(settings.policy_file) if settings.policy_file else None)
    if path is None:
        return Policy(max_offers=settings.max_offers)
    return read_policy(path, max_offers=settings.max_offers)


def explain(
    suggestion_id: Annotated[str, typer.Argument(help="The id a suggestion carries.")],
    broker: Broker = None,
    redis: Redis = None,
    policy: PolicyFile = None,
    json: Json = False,
) -> None:
    """Why a suggestion was made: its offers with their numbers, its refusals, and the same question asked today."""
    settings = load_settings(broker=broker, redis_url=redis)
    seen = policy_of(settings, policy)
    notes = Console(stderr=True)

    async def run(tables: Tables) -> Explanation:
        with Progress(console=notes, disable=not notes.is_terminal, transient=True) as progress:
            task = progress.add_task("suggestions read", total=None)
            return await explain_suggestion(
                settings, tables, seen, suggestion_id, lambda read: progress.update(task, completed=read)
            )

    explanation = with_tables(settings, run)
    if json:
        sys.stdout.buffer.write(_json(explanation) + b"\n")
    else:
        _show(Console(highlight=False), explanation)


def what_if(
    basket: Annotated[
        Path, typer.Option("--basket", metavar="FILE", help="A basket-updated event, JSON; - is stdin.")
    ],
    redis: Redis = None,
    policy: PolicyFile = None,
    json: Json = False,
) -> None:
    """What a basket would be offered now: every candidate with its score, its evidence and its fate."""
    settings = load_settings(redis_url=redis)
    seen = policy_of(settings, policy)
    raw = sys.stdin.buffer.read() if str(basket) == "-" else _bytes_of(basket)
    event = read_basket(raw, str(basket))

    async def run(tables: Tables) -> Examination:
        return await examine_event(Asking(tables, seen, settings.topic_prefix), event, seen)

    examination = with_tables(settings, run)
    if json:
        sys.stdout.buffer.write(_json(examination) + b"\n")
    else:
        console = Console(highlight=False)
        _show_offers(console, examination.decision.offers, examination.decision.suppressed)
        _show_candidates(console, examination)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise typer.BadParameter(str(exc), param_hint="--basket") from exc


def _show(console: Console, explanation: Explanation) -> None:
    suggestion, cause = explanation.suggestion, explanation.suggestion.cause
    policy, _, scorer = suggestion.policy_version.partition("+")
    console.print(
        f"Suggestion {suggestion.suggestion_id} of {suggestion.occurred_at.isoformat()} for tier {suggestion.tier},"
        f" policy {policy}" + (f", scorer {scorer}" if scorer else ""),
        soft_wrap=True,
    )
    console.print(f"caused by {cause.topic}[{cause.partition}] offset {cause.offset}, event {cause.event_id}")
    _show_offers(console, suggestion.offers, suggestion.suppressed)
    if explanation.today is None:
        console.print("\nThe record that caused it has left the log: it cannot be asked again.")
        return
    console.print(
        f"\nAsked again now it would be {'the same' if explanation.unchanged else 'another answer'}:"
    )
    _show_candidates(console, explanation.today)


def _show_offers(console: Console, offers: list[Offer], suppressed: list[Suppressed]) -> None:
    for offer in offers:
        instead = f" instead of {offer.replaces_sku}" if offer.replaces_sku else ""
        worth = "" if offer.expected_value is None else f" (expected value {offer.expected_value / 100:.2f})"
        console.print(f"  {offer.kind:<10} {offer.sku}{instead}: {offer.reason.text}{worth}", soft_wrap=True)
    if not offers:
        console.print("  no offers")
    for entry in suppressed:
        console.print(f"  {'not':<10} {entry.sku}: {entry.code}")


def _show_candidates(console: Console, examination: Examination) -> None:
    table = Table("candidate", "score", "fate", "who speaks for it", box=None)
    for candidate in examination.candidates:
        voices = ", ".join(
            f"{voice.sku} ({voice.together} of {voice.orders})"
            if voice.source == "orders"
            else f"{voice.source} ({voice.sku} {voice.weight:g})".replace("( ", "(")
            for voice in candidate.voices
        )
        table.add_row(candidate.sku, f"{candidate.score:.6f}", candidate.fate, voices)
    console.print(table)
    for rung in examination.rungs:
        console.print(f"  rung {rung.sku}: {rung.fate}")
    for due in examination.due:
        console.print(f"  due again {due.sku} ({due.why}): {due.fate}")
