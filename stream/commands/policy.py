"""`basketstream policy`: look at a policy file before a worker does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from stream.commands.options import Json
from stream.policy_file import read_policy

app = typer.Typer(no_args_is_help=True, help="Look at a policy file before a worker does.")


@app.command()
def check(file: Annotated[Path, typer.Argument(help="TOML file.")], json: Json = False) -> None:
    """Tell every mistake of a policy file, or the version it gives the suggestions; --json prints it whole."""
    policy = read_policy(file)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(policy, order="sorted") + b"\n")
    else:
        print(policy.version)
