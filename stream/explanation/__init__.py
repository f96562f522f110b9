"""Looking back and sideways: why a suggestion was made, and what another policy would have said.

Everything here reads: the log for what was asked and answered, the tables as they stand now for what is known.
"""
