"""Every row of the fault matrix has a test of its own name."""

from __future__ import annotations

import re
from pathlib import Path

ROWS = 40
MARK = re.compile(r"^@pytest\.mark\.fault\((\d+)\)$", re.MULTILINE)


def test_every_row_of_the_fault_matrix_is_a_named_test() -> None:
    here = Path(__file__).parent
    marked = {int(number) for file in here.glob("test_*.py") for number in MARK.findall(file.read_text())}
    assert marked == set(range(1, ROWS + 1))
