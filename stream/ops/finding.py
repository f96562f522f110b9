"""What an examination found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` is None for advice: it works, but not as one would want it in production."""

    name: str
    ok: bool | None
    what: str
    remedy: str = ""
