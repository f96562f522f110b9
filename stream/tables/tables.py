"""All tables of one namespace over one store."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from stream.decisions.window import Window
from stream.errors import OperatorError, StateLost
from stream.settings import Settings
from stream.tables.acceptance import AcceptanceCounts
from stream.tables.batch import TierTable
from stream.tables.catalogue import Catalogue
from stream.tables.claims import Claims
from stream.tables.connection import open_store
from stream.tables.customers import Customers
from stream.tables.diary import Diaries
from stream.tables.dictionary import Dictionary
from stream.tables.dismissals import Dismissals
from stream.tables.erased import Erased
from stream.tables.erasure import Erasures
from stream.tables.expiry import Expiry
from stream.tables.fences import Fences
from stream.tables.fitted import FittedRows
from stream.tables.keys import Keys
from stream.tables.layout import Layout, read_layout, settle_layout
from stream.tables.neighbours import Neighbours
from stream.tables.orders import Orders
from stream.tables.outbox import Outbox
from stream.tables.parked import Parked
from stream.tables.returns import Returns
from stream.tables.sampling import Sampling
from stream.tables.scorers import ScorerTallies
from stream.tables.servers import Servers
from stream.tables.store import Store


class Tables:
    """The tables, sharing a store, a layout and a tier table."""

    def __init__(self, store: Store, settings: Settings, servers: Servers | None = None) -> None:
        self.store = store
        self.servers = servers or Servers()
        self.keys = Keys(settings.namespace)
        self.layout = Layout(
            version=self.keys.version,
            tags=settings.tags,
            pane_s=settings.pane_s,
            window_panes=settings.window_panes,
            customer_window_panes=settings.customer_window_panes,
        )
        self.window = Window(settings.pane_s * 1_000, settings.window_panes)
        self.customer_window = Window(settings.pane_s * 1_000, settings.customer_window_panes)
        self.tiers = TierTable.of(settings.tier_table())
        parts = (store, self.keys, settings.tags)
        self.fences = Fences(*parts)
        self.dictionary = Dictionary(*parts)
        self.neighbours = Neighbours(*parts)
        self.claims = Claims(*parts)
        self.erased = Erased(*parts)
        self.fitted = FittedRows(*parts)
        self.scorers = ScorerTallies(*parts)
        self.acceptance = AcceptanceCounts(*parts)
        self.dismissals = Dismissals(*parts)
        self.orders = Orders(*parts, self.window, self.tiers)
        log, undoing = self.orders.log, self.orders.undoing
        self.parked = Parked(*parts)
        self.returns = Returns(self.window, log, undoing, self.parked)
        self.expiry = Expiry(*parts, self.window, self.orders.batch, undoing)
        self.customers = Customers(*parts, self.tiers)
        self.diaries = Diaries(*parts)
        self.erasures = Erasures(
            *parts, self.window, self.tiers, self.customers, self.dismissals, log, undoing
        )
        self.catalogue = Catalogue(*parts)
        self.sampling = Sampling(*parts, self.customers, self.catalogue, self.diaries, self.window.pane_ms)
        window_days = settings.customer_window_panes * settings.pane_s // 86_400
        self.outbox = Outbox(*parts, self.tiers, window_days)
        self._made: bytes | None = None
        self._caches: list[Callable[[], None]] = [self.dictionary.forget]

    @classmethod
    def on_redis(cls, settings: Settings) -> Tables:
        """The tables where the settings say; connects at the first use."""
        servers = Servers()
        return cls(open_store(settings.redis_url, servers=servers), settings, servers)

    async def open(self) -> bool:
        """Check the layout, or write it for a new namespace; returns whether it was new. Raises OperatorError."""
        if (await self.store.commands([("HGET", self.keys.made(), "deleting")]))[0] is not None:
            raise OperatorError(
                f"A rebuild of namespace {self.keys.namespace!r} was cut off: only some tables are deleted.",
                "Run `basketstream tables rebuild` again, then start the workers.",
            )
        new = await settle_layout(self.store, self.keys, self.layout)
        await self.store.commands([("HSETNX", self.keys.made(), "id", secrets.token_hex(8))])
        self._made = await self._id()
        return new

    async def begin_deletion(self) -> None:
        """Mark the tables as no tables any more, until the mark itself is deleted."""
        await self.store.commands([("HSET", self.keys.made(), "deleting", 1)])

    async def check(self) -> None:
        """Raise StateLost unless these are still the tables that were opened: they may have been emptied since."""
        if self._made is not None and await self._id() != self._made:
            raise StateLost(
                f"The tables under namespace {self.keys.namespace!r} are not those this worker was started on:"
                " Redis was emptied, or holds other ones."
            )

    async def _id(self) -> bytes | None:
        held: bytes | None = (await self.store.commands([("HGET", self.keys.made(), "id")]))[0]
        return held

    def with_cache(self, forget: Callable[[], None]) -> None:
        """Have `forget` called whenever what was read of the tables may no longer be there."""
        self._caches.append(forget)

    def begin_again(self) -> None:
        """Forget what was read, and rely on the servers as they are now."""
        self.servers.begin_again()
        for forget in self._caches:
            forget()

    async def is_new(self) -> bool:
        """Whether the namespace was never used."""
        return not await read_layout(self.store, self.keys)

    async def close(self) -> None:
        """Let go of connections."""
        await self.store.close()
