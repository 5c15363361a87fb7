"""Splitting texts."""

import re


def tokens(text: str) -> list[str]:
    """Give the words of `text`, in lower case."""
    return re.findall(r"\w+", text.lower())
