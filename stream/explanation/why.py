"""Why a suggestion was made: the answer as it was sent, the question that caused it, and the same question today."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from stream import topics
from stream.codec import decode
from stream.decisions.examine import Examination, examine
from stream.decisions.policy import Policy
from stream.errors import OperatorError, PoisonEvent
from stream.events import BasketUpdated, OrderPlaced
from stream.explanation.asking import Asking
from stream.settings import Settings
from stream.suggestion import Suggestion
from stream.tables.tables import Tables
from stream.verification.log_reader import read_log, record_at


class Explanation(Struct, frozen=True):
    """`today` is the same question asked of the tables as they stand now, None when its record left the log;
    `unchanged` says whether it would be offered the same."""

    suggestion: Suggestion
    question: BasketUpdated | OrderPlaced | None
    today: Examination | None
    unchanged: bool | None


async def explain(
    settings: Settings,
    tables: Tables,
    policy: Policy,
    suggestion_id: str,
    on_progress: Callable[[int], None] = lambda _read: None,
) -> Explanation:
    """Find a suggestion in the log and explain it. Raises OperatorError when the log does not hold it."""
    suggestion = await _find(settings, suggestion_id, on_progress)
    cause = suggestion.cause
    record = await record_at(settings.broker, cause.topic, cause.partition, cause.offset)
    asked: dict[str, type[BasketUpdated] | type[OrderPlaced]] = {
        settings.topic_prefix + topics.BASKET_UPDATED: BasketUpdated,
        settings.topic_prefix + topics.ORDER_PLACED: OrderPlaced,
    }
    if record is None or cause.topic not in asked:
        return Explanation(suggestion, None, None, None)
    event: BasketUpdated | OrderPlaced = decode(asked[cause.topic], record.value)
    today = await examine_event(Asking(tables, policy, settings.topic_prefix), event, policy)
    offered = [(offer.kind, offer.sku) for offer in today.decision.offers]
    unchanged = offered == [(offer.kind, offer.sku) for offer in suggestion.offers]
    return Explanation(suggestion, event, today, unchanged)


async def examine_event(asking: Asking, event: BasketUpdated | OrderPlaced, policy: Policy) -> Examination:
    """What a basket or an order would be answered now, and what from."""
    baskets = await asking.questions([event])
    return examine(baskets[0], await asking.views(baskets), policy, baskets[0].at_ms or 0)


def read_basket(raw: bytes, name: str) -> BasketUpdated:
    """The basket event in a file. Raises OperatorError that says what is wrong with it."""
    try:
        return decode(BasketUpdated, raw)
    except PoisonEvent as exc:
        raise OperatorError(
            f"{name} is no basket-updated event: {exc}.",
            "schemas/basket-updated.v1.json has its form, schemas/examples/ has examples.",
        ) from exc


async def _find(settings: Settings, suggestion_id: str, on_progress: Callable[[int], None]) -> Suggestion:
    wanted, topic = suggestion_id.encode(), settings.topic_prefix + topics.SUGGESTIONS
    seen = 0
    async for record in read_log(settings.broker, topic):
        seen += 1
        on_progress(seen)
        if record.value is not None and wanted in record.value:
            suggestion = msgspec.json.decode(record.value, type=Suggestion)
            if suggestion.suggestion_id == suggestion_id:
                return suggestion
    raise OperatorError(
        f"None of the {seen} suggestions in {topic} has the id {suggestion_id!r}.",
        "Check the id and the topic prefix; suggestions older than the topic's retention are gone.",
    )
