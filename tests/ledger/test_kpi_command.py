"""How `basketstream kpi` shows the accounts."""

from __future__ import annotations

import json

import pytest

from stream.commands import kpi
from stream.ledger.reckoning import Account, Added, Figures
from stream.settings import Settings

ACCOUNT = Account(
    currency="EUR",
    channel="web",
    orders=1_200,
    units=2_400,
    revenue=1_300_000,
    figures=Figures(1_000.0, 2.0, 500.0, None),
    added={"upsell": Added(7, 0, 4_200, 0, Figures(3.5, 0.0, 1.75, None))},
    revenue_after_purchase=100_000,
    margin_after_purchase=0,
    unknown_lines=3,
)


@pytest.fixture(autouse=True)
def one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    async def reckon(settings: Settings) -> list[Account]:
        return [ACCOUNT]

    monkeypatch.setattr(kpi, "reckon", reckon)
    monkeypatch.setenv("COLUMNS", "120")


def test_the_table_has_a_row_for_the_channel_and_one_for_each_kind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kpi.kpi()

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["EUR", "web", "1,200", "1,000.00", "2.00", "500.00"] in rows
    assert ["by", "upsell", "7", "+3.50", "+0.00", "+1.75"] in rows
    assert ["after", "purchase", "revenue", "100,000"] in rows
    assert ["of", "unknown", "suggestions", "3"] in rows


def test_json_is_one_account_a_line(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    kpi.kpi(json=True)

    [line] = capsysbinary.readouterr().out.splitlines()
    assert json.loads(line)["added"]["upsell"]["figures"]["average_basket_value"] == 3.5
