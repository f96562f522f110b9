"""`python -m stream` is `basketstream`."""

from stream.cli import main

main()
