"""Bodies that clients have packed: Content-Encoding gzip and deflate.

Of infer requests alone, and in the worker. A few bytes may be the packed form
of very many, so what comes out is counted while it does.
"""

from __future__ import annotations

from scorehost.inputs import BadInput

try:
    import zlib
except ImportError:  # a Python that was built without it
    zlib = None  # type: ignore[assignment]

#: What goes in at a time, and what comes out: zlib copies what it leaves over.
_IN_BYTES = 64 * 1024
_OUT_BYTES = 256 * 1024

#: Each takes its time, however little is in it.
_MEMBERS_MOST = 10_000

# The forms of a stream, by the numbers that zlib has for them.
_GZIP = 31
_ZLIB = 15
_BARE = -15


def unpack(coding: str, body: memoryview, most: int) -> bytearray:
    """What a body in "gzip" or "deflate" was; BadInput if it is broken or larger than `most`.

    A gzip body may have several members. HTTP's "deflate" is a stream of
    zlib; the bare one that some clients take for it is read as well.
    """
    if zlib is None:
        raise BadInput(415, f"this server has no zlib to unpack {coding} with")
    whole = bytearray()
    at = members = 0
    try:
        while at == 0 or (at < len(body) and coding == "gzip" and members < _MEMBERS_MOST):
            at += _unpack_one(_form(coding, body), body[at:], whole, most)
            members += 1
    except zlib.error as exc:
        raise BadInput(400, f"the body is not in {coding}, or is damaged: {exc}") from None
    if at < len(body):
        raise BadInput(400, f"the body has {len(body) - at} bytes behind its end in {coding}")
    return whole


def _unpack_one(form: int, body: memoryview, whole: bytearray, most: int) -> int:
    """Adds what one stream holds to `whole`; returns how many bytes of the body it took."""
    stream = zlib.decompressobj(form)
    taken = 0
    while not stream.eof:
        data = stream.unconsumed_tail
        if not data:
            data = bytes(body[taken : taken + _IN_BYTES])
            taken += len(data)
        piece = stream.decompress(data, _OUT_BYTES)
        whole += piece
        if len(whole) > most:
            raise BadInput(413, f"the body has more than {most} bytes once it is unpacked")
        if not data and not piece:
            raise BadInput(400, "the body ends before what is packed in it does")
    return taken - len(stream.unused_data)


def _form(coding: str, body: memoryview) -> int:
    if coding == "gzip":
        return _GZIP
    head = bytes(body[:2])
    is_zlib = len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
    return _ZLIB if is_zlib else _BARE
