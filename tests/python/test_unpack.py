"""Bodies that are packed: what they were, and all that is wrong with them."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import pytest
from scorehost import unpack
from scorehost.inputs import BadInput

MOST = 8 * 1024 * 1024


def bare(data: bytes) -> bytes:
    """A stream of deflate without zlib's head and end."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def unpacked(coding: str, body: bytes, most: int = MOST) -> bytes:
    return bytes(unpack.unpack(coding, memoryview(body), most))


def refusal(coding: str, body: bytes, most: int = MOST) -> BadInput:
    with pytest.raises(BadInput) as caught:
        unpacked(coding, body, most)
    return caught.value


DATA = {
    "empty": b"",
    "one": b"x",
    "text": b'{"inputs": []}',
    "zeros": bytes(3_000_000),
    "noise": random.Random(1).randbytes(700_001),
    "a-step": bytes(256 * 1024),
}
PACKED = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare": ("deflate", bare),
    "stored": ("gzip", lambda data: gzip.compress(data, 0)),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@pytest.mark.parametrize(("coding", "pack"), PACKED.values(), ids=PACKED)
def test_it_is_what_it_was(coding: str, pack: object, data: bytes) -> None:
    assert callable(pack)
    assert unpacked(coding, pack(data)) == data


def test_members_follow_each_other() -> None:
    assert unpacked("gzip", gzip.compress(b"one, ") + gzip.compress(b"") + gzip.compress(b"two")) \
        == b"one, two"


def test_a_head_with_all_that_it_may_have() -> None:
    head = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\3\0abc" + b"name\0" + b"comment\0"
    tail = zlib.crc32(b"data").to_bytes(4, "little") + b"\4\0\0\0"
    assert unpacked("gzip", head + bare(b"data") + tail) == b"data"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_cut_anywhere_is_refused(coding: str) -> None:
    whole = PACKED[coding][1](b"some data, and some more of it" * 3)  # type: ignore[operator]
    for cut in range(len(whole)):
        assert refusal(coding, whole[:cut]).status == 400


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_damaged_anywhere_is_refused_or_the_same(coding: str) -> None:
    data = bytes(range(256)) * 2
    whole = PACKED[coding][1](data)  # type: ignore[operator]
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1:]
        try:
            assert unpacked(coding, changed) == data  # a date, an operating system
        except BadInput as exc:
            assert exc.status == 400 and exc.text


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b'{"inputs": []}'), ("deflate", b'{"inputs": []}'),
        ("gzip", zlib.compress(b"x")), ("deflate", gzip.compress(b"x")),
        ("gzip", gzip.compress(b"x") + b"\0"), ("gzip", gzip.compress(b"x") + b"\x1f\x8b"),
        ("deflate", zlib.compress(b"x") + b"x"), ("deflate", bare(b"x") + b"x"),
        ("deflate", zlib.compress(b"x") + zlib.compress(b"y")),
    ],
    ids=range(9),  # what gzip makes has the time in it
)
def test_other_bytes_are_refused(coding: str, body: bytes) -> None:
    found = refusal(coding, body)
    assert found.status == 400
    assert "unpack" in found.text or coding in found.text or "ends before" in found.text


def test_the_limit_is_to_the_byte() -> None:
    assert len(unpacked("gzip", gzip.compress(bytes(70_000)), 70_000)) == 70_000
    found = refusal("gzip", gzip.compress(bytes(70_001)), 70_000)
    assert found.status == 413 and "70000" in found.text
    two = gzip.compress(bytes(40_000)) * 2
    assert refusal("gzip", two, 79_999).status == 413
    assert len(unpacked("gzip", two, 80_000)) == 80_000


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    stream = zlib.compressobj(9, wbits=31)
    million = bytes(1_000_000)
    bomb = b"".join(stream.compress(million) for _ in range(400)) + stream.flush()
    assert len(bomb) < 500_000
    tracemalloc.start()
    try:
        assert refusal("gzip", bomb, 1_000_000).status == 413
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3_000_000


def test_very_many_members_are_refused() -> None:
    found = refusal("gzip", gzip.compress(b"") * 10_001)
    assert found.status == 400 and "20 bytes" in found.text


def test_a_python_without_zlib_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "zlib", None)
    found = refusal("gzip", gzip.compress(b"x"))
    assert found.status == 415 and "zlib" in found.text
