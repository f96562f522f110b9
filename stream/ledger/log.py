"""Reads the ledger's orders, the offers they name and the costs from the log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from stream import topics
from stream.channels import ORDERS, PRODUCTS
from stream.cloudevents import event_bytes
from stream.codec import decode
from stream.errors import PoisonEvent
from stream.events import OrderPlaced, ProductUpdated
from stream.ledger.reckoning import Account, Ledger, Sold
from stream.settings import Settings
from stream.suggestion import Suggestion
from stream.verification.log_reader import read_log

_suggestion = msgspec.json.Decoder(Suggestion).decode


async def reckon(settings: Settings) -> list[Account]:
    """The accounts of everything the log holds. Orders are read twice, so that only offers that sold are kept.

    Raises OperatorError when a topic is missing, StateUnavailable when the broker stops answering.
    """
    named = {
        line.suggestion_id
        async for order in _orders(settings)
        for line in order.lines
        if line.suggestion_id is not None
    }
    ledger = Ledger(await _sold(settings, named), await _costs(settings))
    async for order in _orders(settings):
        ledger.add(order)
    return ledger.accounts()


async def _orders(settings: Settings) -> AsyncIterator[OrderPlaced]:
    """Orders that can be read; the others are dead letters."""
    async for record in read_log(settings.broker, settings.topic_prefix + topics.ORDER_PLACED):
        try:
            yield decode(OrderPlaced, event_bytes(ORDERS, record.value, record.headers))
        except PoisonEvent:
            continue


async def _sold(settings: Settings, named: set[str]) -> dict[tuple[str, str], Sold]:
    """The offers of the named suggestions by suggestion and SKU."""
    found: dict[tuple[str, str], Sold] = {}
    if not named:
        return found
    async for record in read_log(settings.broker, settings.topic_prefix + topics.SUGGESTIONS):
        if record.value is None:
            continue
        suggestion = _suggestion(record.value)
        if suggestion.suggestion_id in named:
            for offer in suggestion.offers:
                found[suggestion.suggestion_id, offer.sku] = Sold(offer, suggestion.timing)
    return found


async def _costs(settings: Settings) -> dict[tuple[str, str], int]:
    """The latest cost of each product that has one."""
    costs: dict[tuple[str, str], int] = {}
    async for record in read_log(settings.broker, settings.topic_prefix + topics.PRODUCT_UPDATED):
        if record.value is None:
            continue
        try:
            product = decode(ProductUpdated, event_bytes(PRODUCTS, record.value, record.headers))
        except PoisonEvent:
            continue
        if product.cost is not None:
            costs[product.sku, product.currency] = product.cost
    return costs
