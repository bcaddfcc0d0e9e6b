"""The errors that a user can mend: each message names the place and the remedy.

The command line prints the message alone and ends with the error's exit code; anything that is
not a `TrainwrightError` is a bug and keeps its stack trace.
"""


class TrainwrightError(Exception):
    """Something that the user can mend. The message names the place, the value and the remedy."""

    exit_code = 2


class SettingError(TrainwrightError):
    """A strategy, network, recipe or option that does not exist, does not fit or is out of range."""

    exit_code = 2


class DataError(TrainwrightError):
    """A data set that is missing, malformed or does not fit what is asked of it."""

    exit_code = 3


class StoreError(TrainwrightError):
    """A store, model or report that cannot be read or written."""

    exit_code = 4


class Interrupted(BaseException):
    """Ctrl-C on the command line. No `Exception`: what goes on after an error must not go on after this."""

    exit_code = 130
