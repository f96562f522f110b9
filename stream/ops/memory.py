"""How a process that works in batches handles memory: set once at its start."""

from __future__ import annotations

import gc
from typing import Final

import numpy as np

_LARGE: Final = 8 << 20
"""Bytes of an array that is larger than any of a batch."""


def work_in_batches() -> None:
    """Collect garbage seldom, and keep what is freed.

    A batch makes tens of thousands of short-lived objects, hardly one of them in a cycle: at the default thresholds the
    collector takes a tenth of the worker's time to find nothing. And its arrays are freed and made again with every
    chunk: glibc would give them back to the system each time and ask for them anew, page by page, unless it once saw as
    large an allocation freed (mallopt(3), M_MMAP_THRESHOLD); a decision cost a sixth more.
    """
    gc.set_threshold(100_000, 50, 50)
    np.empty(_LARGE, np.uint8)  # freed at once
