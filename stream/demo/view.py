"""The live view: how far the run is, how fast, and the newest basket with what was suggested for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream.demo.answers import Answers, SeenOffer
from stream.demo.summary import latency_of

RECENT = 2_000
"""Suggestions over which the latency on screen is taken."""

SHOWN_LINES = 6
"""Lines of the newest basket, and offers, on screen."""


class Progress(NamedTuple):
    """Where the run stands."""

    phase: str
    orders: int
    of_orders: int | None
    baskets: int
    seconds: float


class View:
    """Draws itself four times a second from what `progress` says; `titles` names the SKUs."""

    def __init__(self, answers: Answers, titles: Mapping[str, str], progress: Callable[[], Progress]) -> None:
        self._answers, self._titles, self._progress = answers, titles, progress

    def live(self, console: Console) -> Live:
        """To be used with `with`; leaves nothing on the screen."""
        return Live(
            get_renderable=self.draw, console=console, refresh_per_second=4, transient=True, screen=False
        )

    def draw(self) -> RenderableType:
        """The whole view."""
        now = self._progress()
        body: list[RenderableType] = [self._head(now)]
        if self._answers.latest is not None:
            body.append(self._latest())
        return Panel(Group(*body), title=f"basketstream: {now.phase}", title_align="left")

    def _head(self, now: Progress) -> RenderableType:
        table = Table.grid(padding=(0, 2), expand=True)
        total = f" of {now.of_orders:,}" if now.of_orders else ""
        rate = (now.baskets + now.orders) / now.seconds if now.seconds > 0 else 0.0
        latency = latency_of(self._answers.latencies_s[-RECENT:])
        table.add_row(f"{now.orders:,}{total} orders", ProgressBar(total=now.of_orders, completed=now.orders))
        table.add_row(
            f"{self._answers.suggestions:,} suggestions",
            f"{rate:,.0f} events/s, median {latency.p50:,.0f} ms, p99 {latency.p99:,.0f} ms, "
            f"hit rate {self._answers.hit_rate.rate:.1%}",
        )
        return table

    def _latest(self) -> RenderableType:
        assert self._answers.latest is not None
        added, seen = self._answers.latest
        table = Table(expand=True, box=None, padding=(0, 1))
        table.add_column("in the basket", ratio=2, no_wrap=True)
        table.add_column("suggested", ratio=2, no_wrap=True)
        table.add_column("because", ratio=3, no_wrap=True)
        basket = [self._name(sku) for sku in added[-SHOWN_LINES:]]
        for line in range(max(len(basket), min(SHOWN_LINES, len(seen.offers)))):
            name = basket[line] if line < len(basket) else ""
            offer = seen.offers[line] if line < min(SHOWN_LINES, len(seen.offers)) else None
            table.add_row(Text(name), *self._offer(offer))
        return table

    def _offer(self, offer: SeenOffer | None) -> tuple[Text, Text]:
        if offer is None:
            return Text(), Text()
        step = f" (+{offer.price_step / 100:.2f})" if offer.kind == "upsell" and offer.price_step else ""
        style = "green" if offer.kind == "upsell" else "cyan"
        sign = "↑ " if offer.kind == "upsell" else "+ "
        return Text(sign + (offer.title or self._name(offer.sku)) + step, style=style), Text(
            offer.reason.text
        )

    def _name(self, sku: str) -> str:
        return self._titles.get(sku, sku)
