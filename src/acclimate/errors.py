"""Every error a user can meet, as one tree.

    AcclimateError              exit code 2: the user can mend it
    ├── SettingsError           a study file or a setting is wrong
    ├── DataError               an input file is wrong; says file and line
    ├── ModelError              a base model is refused or cannot be read
    ├── StoreError              an artifact is damaged, or its folder cannot be used
    │   ├── DiskFullError       no room left; the last good state is kept
    │   └── UnreadableError     the machine could not read a file; nothing is known of it, and nothing was changed
    ├── MissingExtraError       an optional library is not installed
    ├── ClusterError            no Ray cluster, one that is not fit for the work, or one that is gone
    └── TrainingError           exit code 1: training failed (out of memory, ...)
        └── DivergedError       the loss is not finite: of a search's trials that is an answer
    Interrupted                 exit code 130: Ctrl-C, SIGTERM or SIGHUP; the same command continues
    (a broken pipe              exit code 141: nobody reads standard output any more, as in `acclimate ... | head`)
    (anything else              exit code 70: a fault of acclimate, with its traceback)

A user's mistake raises one of these with a message that says where, what, and the likely mend. `assert` is for our own bugs.
"""

import difflib

BROKEN_PIPE = 141  # as the shell says of what SIGPIPE ended
FAULT = 70  # as sysexits.h has it


class AcclimateError(Exception):
    """Something a user can mend; the message alone must be enough to do it."""

    exit_code = 2


class SettingsError(AcclimateError):
    """A study file, a command-line option or a setting given from Python is wrong."""


class DataError(AcclimateError):
    """An input file is missing, malformed or inconsistent; the message names file and line."""


class ModelError(AcclimateError):
    """A base model is refused (pickle, remote code) or cannot be read."""


class StoreError(AcclimateError):
    """An artifact is damaged or the store's folder cannot be used."""


class DiskFullError(StoreError):
    """The disk is full; what was complete before is kept."""


class UnreadableError(StoreError):
    """A file could not be read (rights, a failing disk, too many open files), which is no damage: nothing was changed."""


class MissingExtraError(AcclimateError):
    """A feature needs an optional library that is not installed."""


class ClusterError(AcclimateError):
    """There is no Ray cluster, its nodes are not fit for the work, or its head is gone; everything that was finished is kept."""


class TrainingError(AcclimateError):
    """Training failed; the run is kept with this error and others go on."""

    exit_code = 1


class DivergedError(TrainingError):
    """The loss or its gradient is not finite; a lower learning rate usually mends it."""


class Interrupted(Exception):
    """Ctrl-C, SIGTERM or SIGHUP: state is saved, and the same command continues from there."""

    exit_code = 130


def first_line(error: BaseException) -> str:
    """What a library says went wrong, without the pages below it; the error's kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def did_you_mean(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` of the nearest of the known words, or nothing."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
