"""The dictionary: which SKU an id stands for. Written once, checked for collisions, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.tables.ids import sku_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Command, Store

MOST_CACHED = 200_000
"""SKUs a worker remembers before it starts afresh: about 230 bytes each with names of 16 characters."""


class Dictionary:
    """SKU ids and SKUs. What this worker has seen lately it does not ask again."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags
        self._skus: dict[bytes, str] = {}
        self._clear: set[str] = set()
        """SKUs that are known to be those their ids stand for."""
        self.written = 0
        """SKUs this worker was the first to write down: many in a short time are a flood of made-up ones."""

    def forget(self) -> None:
        """Ask the tables again: they may have lost what was written down."""
        self._skus.clear()
        self._clear.clear()

    async def remember(self, skus: Iterable[str]) -> set[str]:
        """Write the new ones down; returns those whose id already stands for another SKU."""
        self._make_room()
        new: dict[int, list[str]] = {}
        collisions = set()
        for sku in sorted(set(skus) - self._clear):
            ident = sku_id(sku)
            held = self._skus.get(ident)
            if held is None:
                new.setdefault(tag_of(ident, self._tags), []).append(sku)
            elif held != sku:
                collisions.add(sku)
            else:
                self._clear.add(held)
        commands: list[Command] = []
        for tag, mine in new.items():
            key = self._keys.skus(tag)
            commands += [("HSETNX", key, sku_id(sku), sku.encode()) for sku in mine]
            commands.append(("HMGET", key, *map(sku_id, mine)))
        answers = iter(await self._store.commands(commands))
        for mine in new.values():
            self.written += sum(int(next(answers)) for _ in mine)
            for sku, held_now in zip(mine, next(answers), strict=True):
                held = self._skus[sku_id(sku)] = held_now.decode()
                if held != sku:
                    collisions.add(sku)
                else:
                    self._clear.add(held)
        return collisions

    async def names(self, idents: Sequence[bytes]) -> dict[bytes, str]:
        """The SKU of each id; an id nobody wrote down is left out."""
        self._make_room()
        asked = dict.fromkeys(idents)
        found = {ident: self._skus[ident] for ident in asked if ident in self._skus}
        unknown: dict[int, list[bytes]] = {}
        for ident in asked:
            if ident not in found:
                unknown.setdefault(tag_of(ident, self._tags), []).append(ident)
        answers = await self._store.commands(
            [("HMGET", self._keys.skus(tag), *mine) for tag, mine in unknown.items()]
        )
        for mine, held in zip(unknown.values(), answers, strict=True):
            for ident, sku in zip(mine, held, strict=True):
                if sku is not None:
                    found[ident] = self._skus[ident] = sku.decode()
        return found

    def _make_room(self) -> None:
        if len(self._skus) > MOST_CACHED:
            self.forget()
