"""What a worker hands back for one request, and the flags that go with it.

The host adds the identity headers, CORS, the length and the log lines; a
reply says only what the host cannot know.  The flag values are shared with
``csrc/link/call.h`` and travel over the wire between worker and host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

FAILED = 1  # x-ms-run-function-failed says True instead of False
NO_FAILED_HEADER = 2  # that header is not sent at all
EXEC_MS = 4  # x-ms-run-fn-exec-ms is sent, made of run_ns
OWN_TYPE = 8  # Content-Type is the reply's business; the host adds none
STREAM = 16  # the body is an iterator of bytes
HTTP_RESPONSE = 32  # run() returned an HTTP response object
UNFIT = 64  # this kind of worker cannot run the script

Headers = list[tuple[str, str]]
Body = bytes | str | Iterator[bytes]
Reply = tuple[int, Headers, Body, int, int]

SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
CANCELLED = "run() was cancelled because its client had left."
INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."


def message(status: int, text: str, flags: int = 0, headers: Headers | None = None) -> Reply:
    """Makes the JSON error reply that every failure has."""
    return status, headers or [], json.dumps({"message": text}), flags, 0
