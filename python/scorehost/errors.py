"""The exceptions whose names appear in the log."""


class UserScriptError(Exception):
    """The script does not keep the contract of a scoring script."""


class UserScriptImportException(UserScriptError):
    """Importing the script raised; the cause is chained."""

    def __init__(self, cause: object = None) -> None:
        super().__init__(
            "Failed to import user script because it raised an unhandled exception"
        )


class UserScriptException(UserScriptError):
    """init() or run() raised; the cause is chained."""

    def __init__(self, cause: object = None) -> None:
        super().__init__("Caught an unhandled exception from the user script")


class UserScriptTimeout(UserScriptError):
    """run() was still at work when its time was up."""

    def __init__(self, timeout_ms: int) -> None:
        super().__init__(
            f"Script failed to finish execution within the allocated time: {timeout_ms}ms"
        )


class WrongOutput(UserScriptError):
    """run() returned what it did not declare, or what is no tensor."""


class ScoringTimeout(BaseException):
    """Raised inside run() at the deadline.

    It is no Exception, so that a script which catches `Exception` around its
    work does not swallow its own deadline.
    """


class Cancelled(BaseException):
    """Raised inside run() when nobody waits for its answer any more.

    The client has left, or the time that it gave is over; it is raised only
    with `raise_cancelled`. It is no Exception for the same reason as
    ScoringTimeout.
    """
