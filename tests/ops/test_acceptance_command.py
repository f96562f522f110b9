"""`basketstream acceptance`: the counts a merchandiser sees, and the chances that decisions use."""

from __future__ import annotations

from stream.commands.acceptance import acceptance_report
from stream.settings import load_settings
from stream.tables.acceptance import HELD, PANE_MS, UP, Told, move_field, pane_of
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables

AT_MS = 700 * PANE_MS
PHONES = "upsell|25|gold|phones"


async def test_the_report_names_places_counts_and_chances() -> None:
    tables = Tables(MemoryStore(), load_settings({}, tags=4))
    owner = await tables.fences.take("suggestion-feedback", 0)
    said = ["shown"] * 6 + ["clicked", "added", "dismissed"]
    said = said * 100
    told = [Told(at, AT_MS, PHONES, word, f"event-{at}") for at, word in enumerate(said)]
    await tables.acceptance.count(owner, told)
    moved = {
        (pane_of(AT_MS), move_field(how, "1:25", "gold", "phones")): n for how, n in ((HELD, 900), (UP, 90))
    }
    await tables.acceptance.add_moves("worker", 1, moved, AT_MS)

    report = acceptance_report(await tables.acceptance.read(), 0.1)

    [offer], [move] = report["offers"], report["moves"]
    chance = offer.pop("chance")
    assert offer == {
        "kind": "upsell",
        "band": "25",
        "tier": "gold",
        "scope": "phones",
        "shown": 600,
        "clicked": 100,
        "added": 100,
        "dismissed": 100,
    }
    assert 0.16 < chance < 0.17
    assert move.pop("chance") == 0.1
    assert move == {"range": "phones", "rung": 1, "band": "25", "tier": "gold", "held": 900, "up": 90}
    assert report["prior"] == 0.1


async def test_a_shop_of_which_nothing_was_counted_has_an_empty_report() -> None:
    tables = Tables(MemoryStore(), load_settings({}, tags=4))

    assert acceptance_report(await tables.acceptance.read(), 0.2) == {"prior": 0.2, "offers": [], "moves": []}
