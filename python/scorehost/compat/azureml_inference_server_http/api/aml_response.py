"""The response that scripts return when they want a status or headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response

__all__ = ["AMLResponse"]

_FAILED_HEADER = "x-ms-run-function-failed"
_NO_HEADERS: Mapping[str, str] = {}


class AMLResponse(Response):
    """An HTTP response made by a scoring script.

    ``message`` is the body: JSON when ``json_str`` is set, else text, bytes
    or an iterable of them. A value in ``response_headers`` that holds commas
    becomes a header field for each of its parts, but for Content-Type, which
    takes the place of the default one.
    """

    def __init__(
        self,
        message: Any,
        status_code: int | str | None,
        response_headers: Mapping[str, str] = _NO_HEADERS,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        if message is None:
            super().__init__("{}", status=status_code, mimetype="application/json")
        elif json_str:
            super().__init__(json.dumps(message), status=status_code, mimetype="application/json")
        else:
            super().__init__(message, status=status_code)
        self.headers[_FAILED_HEADER] = str(run_function_failed)
        for name, value in response_headers.items():
            if name.lower() == "content-type":
                self.headers["Content-Type"] = value.strip()
                continue
            for part in value.split(","):
                self.headers.add(name, part.strip())
