"""The classes that a user's logging.json names."""

from scorehost.logs import AMLLogFormatter, RootAccessFilter

__all__ = ["AMLLogFormatter", "RootAccessFilter"]
