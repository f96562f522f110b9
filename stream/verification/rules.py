"""The rules a recount follows, as the settings state them."""

from __future__ import annotations

from dataclasses import dataclass

from stream.settings import Settings


@dataclass(frozen=True, slots=True)
class Rules:
    """Panes of `pane_ms`; windows in panes; `tiers` as (name, threshold in minor units), lowest first.

    At most `max_counted` distinct SKUs of an order are counted; a diary holds at most `most_in_diary` entries.
    """

    pane_ms: int = 86_400_000
    window_panes: int = 90
    customer_window_panes: int = 365
    tiers: tuple[tuple[str, int], ...] = (
        ("none", 0),
        ("bronze", 10_000),
        ("silver", 50_000),
        ("gold", 150_000),
        ("platinum", 500_000),
    )
    max_counted: int = 50
    most_in_diary: int = 5_000

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """As the workers with these settings apply them."""
        return cls(
            pane_ms=settings.pane_s * 1_000,
            window_panes=settings.window_panes,
            customer_window_panes=settings.customer_window_panes,
            tiers=settings.tier_table(),
        )
