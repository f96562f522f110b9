"""The command line. Data goes to stdout, notes to stderr.

Exit codes: 0 done, 1 a check failed, 2 something only the operator can mend (the message says what), 3 a worker that
did not stop in time, 4 a worker that made no progress, 130 interrupted.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from stream import __version__
from stream.commands import (
    acceptance,
    dead_letters,
    demo,
    doctor,
    evaluate,
    explain,
    kpi,
    policy,
    replay,
    scorers,
    tables,
    topics,
    worker,
)
from stream.errors import OperatorError, StateLost, StateUnavailable, WorkerStuck
from stream.worker import EXIT_STUCK

app = typer.Typer(
    name="basketstream",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real-time upsell and cross-sell suggestions from basket and order events on Kafka.",
    epilog="First look: basketstream demo",
)
app.command()(demo.demo)
app.command()(worker.worker)
app.command()(replay.replay)
app.command()(scorers.scorers)
app.command()(acceptance.acceptance)
app.command("evaluate")(evaluate.evaluate_command)
app.command()(doctor.doctor)
app.command()(explain.explain)
app.command("what-if")(explain.what_if)
app.command()(kpi.kpi)
app.add_typer(topics.app, name="topics")
app.add_typer(tables.app, name="tables")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(policy.app, name="policy")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Run the command line; errors meant for the operator become two lines on stderr."""
    notes = Console(stderr=True, highlight=False, markup=False)
    try:
        app()
    except OperatorError as exc:
        notes.print(exc.problem, style="red", soft_wrap=True)
        notes.print(exc.remedy, soft_wrap=True)
        sys.exit(2)
    except (StateLost, StateUnavailable) as exc:
        notes.print(str(exc), style="red", soft_wrap=True)
        sys.exit(2)
    except WorkerStuck as exc:
        notes.print(str(exc), style="red", soft_wrap=True)
        sys.exit(EXIT_STUCK)
    except KeyboardInterrupt:
        sys.exit(130)
