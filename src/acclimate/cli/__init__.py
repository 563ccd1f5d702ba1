"""The command line: verbs parse, call and print; no logic."""

from acclimate.cli.verbs import main

__all__ = ["main"]
