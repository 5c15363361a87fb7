"""From an HTTP request to the arguments of ``run()``.

Everything a client can get wrong ends here as ``BadInput``, before the
script is called.
"""

from __future__ import annotations

import json
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scorehost._core import Call


class BadInput(Exception):
    """The client is at fault: the status and the text it is told."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Required:
    """Stands for "this parameter has no default"."""


REQUIRED: Any = _Required()


def plain(call: Call) -> str:
    """Returns the text that ``run()`` gets in plain mode."""
    if call.method == "GET":
        return json.dumps(query_values(call.query))
    try:
        return call.body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadInput(400, f"Input cannot be decoded as UTF-8: {exc}") from None


def schema(call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keyword arguments of ``run()`` in schema mode.

    ``parameters`` maps the wanted names to their defaults or to REQUIRED.
    """
    given = query_values(call.query) if call.method == "GET" else _json_object(call)
    values = {}
    for name, default in parameters.items():
        value = given.get(name, default)
        if value is REQUIRED:
            raise BadInput(400, f"A value is not provided for the {name!r} parameter.")
        values[name] = value
    return values


def _json_object(call: Call) -> dict[str, Any]:
    if not _is_json(_content_type(call.headers)):
        raise BadInput(415, "Expects Content-Type to be application/json")
    return json_object(call.body)


def json_object(body: bytes) -> dict[str, Any]:
    """Reads a body that must be one JSON object."""
    if not body:
        raise BadInput(400, "POST body is empty. Expecting a JSON dictionary.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        text = f"POST body could not be decoded as JSON: {exc}"
        raise BadInput(400, text) from None
    if not isinstance(value, dict):
        raise BadInput(400, "POST body should be a JSON dictionary.")
    return value


def _content_type(headers: Iterable[tuple[str, str]]) -> str:
    value = ""
    for name, text in headers:
        if name.lower() == "content-type":
            value = text
    return value


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return True
    return kind.startswith("application/") and kind.endswith("+json")


def query_values(query: bytes) -> dict[str, Any]:
    """Turns a query string into a dict.

    Each value is JSON when it can be read as JSON, else text; a name that
    comes again collects its values in a list.
    """
    found: dict[str, list[Any]] = {}
    for piece in query.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            found.setdefault(_unquote(name), []).append(_query_value(_unquote(value)))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _query_value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unquote(raw: bytes) -> str:
    """Percent-decodes; what is not UTF-8 afterwards stays percent-encoded."""
    raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        from urllib.parse import unquote_to_bytes

        raw = unquote_to_bytes(raw)
    text = ""
    while raw:
        try:
            return text + raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            text += raw[: exc.start].decode("utf-8")
            text += "".join(f"%{byte:02X}" for byte in raw[exc.start : exc.end])
            raw = raw[exc.end :]
    return text


def headers_dict(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the ``request_headers`` argument.

    As under WSGI: names in title case, values of repeated fields joined by
    commas, fields with an underscore in the name left out because they
    could be confused with others.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if "_" in name:
            continue
        title = name.title()
        text = value.strip(" \t")
        if title in ("Content-Type", "Content-Length"):
            if text:
                found[title] = text
        elif title in found:
            found[title] += "," + text
        else:
            found[title] = text
    return found
