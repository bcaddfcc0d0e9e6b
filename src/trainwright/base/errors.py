"""Errors that the user can fix: each message names the place and the remedy.

The command line prints the message alone and exits with the error's code. Any other exception is a bug and
keeps its stack trace.
"""


class TrainwrightError(Exception):
    """Something the user can fix. The message names the place, the value and the remedy."""

    exit_code = 2


class SettingError(TrainwrightError):
    """A strategy, network, recipe or option that does not exist, does not fit the data or is out of range."""

    exit_code = 2


class DataError(TrainwrightError):
    """A data set that is missing, malformed or unsuited to the task."""

    exit_code = 3


class StoreError(TrainwrightError):
    """A store, model or report that cannot be read or written."""

    exit_code = 4


class Interrupted(BaseException):
    """Ctrl-C on the command line. Not an `Exception`: code that survives errors must not survive this."""

    exit_code = 130
