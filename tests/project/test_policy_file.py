"""A policy file is read whole, and every mistake in it is told at once; a worker takes over a changed one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli import app
from stream.decisions.policy import Companion, Pin, Policy, Rule
from stream.errors import OperatorError
from stream.ops.tally import Tally
from stream.policy_file import parse_policy, read_policy
from stream.services.policy_watch import PolicyWatch

WHOLE = """
max_offers = 4
bans = ["SKU-1"]
thresholds = { EUR = 5000 }
boosts = { "SKU-2" = 1.5 }

[[pins]]
sku = "SKU-3"
beside = ["SKU-4"]

[[complements]]
of = "SKU-4"
sku = "SKU-5"

[[rules]]
channel = "pos"
tier = "gold"
max_step = 2.0
"""


def test_a_file_says_what_the_policy_is() -> None:
    assert parse_policy(WHOLE, "p.toml", min_together=5) == Policy(
        max_offers=4,
        min_together=5,
        bans=frozenset({"SKU-1"}),
        thresholds={"EUR": 50_00},
        boosts={"SKU-2": 1.5},
        pins=(Pin("SKU-3", ("SKU-4",)),),
        complements=(Companion("SKU-4", "SKU-5"),),
        rules=(Rule(channel="pos", tier="gold", max_step=2.0),),
    )
    assert parse_policy("", "p.toml", max_offers=7) == Policy(max_offers=7)


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    text = """
    max_offers = -1
    max_ofers = 3
    version = "mine"
    boosts = { x = 0 }
    pins = [{ sku = "a" }, { sku = "" }, { sku = "b", colour = "red" }]
    rules = "none"
    """

    with pytest.raises(OperatorError) as caught:
        parse_policy(text, "p.toml")

    problem = caught.value.problem
    assert problem.startswith("p.toml has 7 mistakes:")
    for place in ("max_offers:", "max_ofers:", "version:", "boosts:", "pins[1]:", "pins[2]:", "rules:"):
        assert f"\n  {place}" in problem


def test_too_many_pins_are_a_mistake() -> None:
    pins = "\n".join(f'[[pins]]\nsku = "p{n}"' for n in range(21))

    with pytest.raises(OperatorError, match="pins: 21 entries, at most 20 are allowed"):
        parse_policy(pins, "p.toml")


@pytest.mark.parametrize(("content", "words"), [(b"= 3", "is not TOML"), (b"\xff", "cannot be read")])
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "p.toml"
    file.write_bytes(content)

    with pytest.raises(OperatorError, match=words):
        read_policy(file)
    with pytest.raises(OperatorError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")


def test_the_command_prints_the_version_or_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(WHOLE)

    short, whole = (
        CliRunner().invoke(app, ["policy", "check", str(file), *more]) for more in ([], ["--json"])
    )

    assert short.stdout.strip() == read_policy(file).version
    assert f'"version":"{read_policy(file).version}"' in whole.stdout


def test_a_changed_file_comes_into_force_and_a_broken_one_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, used, tally = tmp_path / "p.toml", list[Policy](), Tally()
    file.write_text("max_offers = 2")
    watch = PolicyWatch(file, used.append, tally, min_together=4)

    assert watch.first() == Policy(max_offers=2, min_together=4)
    watch.look()
    assert used == []
    file.write_text("max_offers = 3")
    watch.look()
    watch.look()
    assert used == [Policy(max_offers=3, min_together=4)]
    file.write_text("max_offers = 'many'")
    watch.look()
    watch.look()
    file.unlink()
    watch.look()
    file.write_text("max_offers = 6")
    watch.look()

    assert [policy.max_offers for policy in used] == [3, 6]
    assert tally.counts["policy.refused"] == 2
    assert sum("the policy stays as it was" in message for message in caplog.messages) == 2
