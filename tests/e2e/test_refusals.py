"""What is no sound HTTP never reaches run(), and others do not notice."""

from __future__ import annotations

import pytest

from .conftest import Make
from .host import Host, library_is_strict
from .wire import Closed, Connection, Response, chunked, request

HOST = b"Host: score.example\r\n"
POST = b"POST /score HTTP/1.1\r\n" + HOST
MIB = 1 << 20
TOO_LARGE = "The request body is larger than this server accepts."


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("lab.py", "--max_body_bytes", str(2 * MIB), "--head_timeout_ms", "1000",
                       "--body_timeout_ms", "1000")


ORDER = b'{"do": "nothing", "id": "bad"}'


def ask(server: Host, data: bytes) -> Response:
    """Send what must be refused by us; checks all that each refusal has."""
    with server.connect() as connection:
        response = connection.send(data).response(data.split(b" ")[0].decode("latin-1"))
        assert connection.is_closed(), "a refused connection is not used any more"
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-request-id")
    assert response.message
    assert server.scored() == []
    return response


def refused_somehow(server: Host, data: bytes, half_close: bool = False) -> int:
    """Send what our code or the library refuses: the status, or 0 for a mere close.

    What the library says behind the head of its refusal is its own business.
    """
    with server.connect() as connection:
        connection.send(data)
        if half_close:
            connection.half_close()
        try:
            status = connection.head().status
            connection.rest()
        except Closed:
            status = 0
    assert server.scored() == []
    return status


def ask_or_library(server: Host, data: bytes, status: int) -> None:
    """Send what we refuse with this status, if the library lets us see it.

    libmicrohttpd 0.9 does; 1.0 refuses it by itself, with a page of its own.
    """
    if library_is_strict():
        assert refused_somehow(server, data) in (400, status)
    else:
        assert ask(server, data).status == status


# Where a body ends


def test_two_content_lengths_that_differ(server: Host) -> None:
    data = POST + b"Content-Length: 30\r\nContent-Length: 3\r\n\r\n" + ORDER
    ask_or_library(server, data, 400)


def test_two_content_lengths_that_agree(server: Host) -> None:
    data = POST + b"Content-Length: 30\r\nContent-Length: 30\r\n\r\n" + ORDER
    ask_or_library(server, data, 400)


@pytest.mark.parametrize(
    "value",
    [b"-1", b"+30", b"0x1e", b"30 30", b"30, 30", b"3e1", b"", b"30;", b"\xb2", b"1_0"],
)
def test_a_content_length_that_is_no_number(server: Host, value: bytes) -> None:
    data = POST + b"Content-Length: " + value + b"\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 400, 413)


def test_a_content_length_beyond_any_number(server: Host) -> None:
    data = POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (400, 413)


@pytest.mark.parametrize("order", [0, 1])
def test_a_length_together_with_chunks(server: Host, order: int) -> None:
    fields = [b"Content-Length: 30\r\n", b"Transfer-Encoding: chunked\r\n"]
    data = POST + fields[order] + fields[1 - order] + b"\r\n" + chunked(ORDER)
    ask_or_library(server, data, 400)


@pytest.mark.parametrize(
    ("value", "status"),
    [(b"gzip", 501), (b"gzip, chunked", 501), (b"chunked, gzip", 501), (b"identity", 501),
     (b"bogus", 501), (b"chunked, chunked", 501), (b"xchunked", 501), (b"", 501)],
)
def test_an_unknown_transfer_coding(server: Host, value: bytes, status: int) -> None:
    data = POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + chunked(ORDER)
    ask_or_library(server, data, status)


def test_a_repeated_transfer_coding(server: Host) -> None:
    field = b"Transfer-Encoding: chunked\r\n"
    ask_or_library(server, POST + field + field + b"\r\n" + chunked(ORDER), 400)


def test_chunks_in_http_1_0(server: Host) -> None:
    data = (b"POST /score HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            + chunked(ORDER))
    ask_or_library(server, data, 400)


@pytest.mark.parametrize(
    "body",
    [b"xyz\r\n", b"-1\r\n", b"1e\r\n" + ORDER + b"XX0\r\n\r\n", b"1e \r\nx", b"\r\n",
     b"0x1e\r\n" + ORDER + b"\r\n0\r\n\r\n", b"+1e\r\n" + ORDER + b"\r\n0\r\n\r\n",
     b"FFFFFFFFFFFFFFFFF\r\n" + ORDER, b"1g\r\n" + ORDER + b"\r\n0\r\n\r\n",
     b";ext\r\n" + ORDER + b"\r\n0\r\n\r\n"],
)
def test_chunks_that_are_none(server: Host, body: bytes) -> None:
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + body
    assert refused_somehow(server, data, half_close=True) in (0, 400, 413)


def test_a_chunk_of_absurd_size(server: Host) -> None:
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"7fffffffffffffff\r\n" + ORDER
    assert refused_somehow(server, data, half_close=True) in (0, 400, 413)


@pytest.mark.parametrize("sent", [0, 1, len(ORDER) - 1])
@pytest.mark.parametrize("leave", ["half_close", "close", "reset"])
def test_a_body_that_ends_early_is_not_scored(server: Host, sent: int, leave: str) -> None:
    with server.connect() as connection:
        connection.send(POST + b"Content-Length: %d\r\n\r\n" % len(ORDER) + ORDER[:sent])
        getattr(connection, leave)()
    assert server.do("echo", value=1).json == 1
    assert server.scored() == []


def test_a_half_closed_truncated_body_gets_no_success(server: Host) -> None:
    data = POST + b"Content-Length: 31\r\n\r\n" + ORDER
    assert refused_somehow(server, data, half_close=True) in (0, 400)


@pytest.mark.parametrize("end", [b"", b"0", b"0\r\n", b"0\r\n\r"])
def test_chunks_that_end_early_are_not_scored(server: Host, end: bytes) -> None:
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1e\r\n" + ORDER + b"\r\n" + end
    assert refused_somehow(server, data, half_close=True) in (0, 400)


# Host


def test_a_missing_host(server: Host) -> None:
    data = b"POST /score HTTP/1.1\r\nContent-Length: 30\r\n\r\n" + ORDER
    ask_or_library(server, data, 400)


@pytest.mark.parametrize("second", [b"score.example", b"other.example"])
def test_a_second_host(server: Host, second: bytes) -> None:
    data = POST + b"hOST: " + second + b"\r\nContent-Length: 30\r\n\r\n" + ORDER
    ask_or_library(server, data, 400)


def test_http_1_0_needs_no_host(server: Host) -> None:
    assert server.raw(b"GET / HTTP/1.0\r\n\r\n", "GET").status == 200


# Header fields


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\x07", b"\x0b", b"\x0c", b"\x1f", b"\x7f",
                                  b"\r", b"\x08", b"\x1b"])
@pytest.mark.parametrize("place", [b"X-Odd: a%sb", b"X-Odd: %sb", b"X-Odd: a%s"])
def test_a_control_byte_in_a_value(server: Host, byte: bytes, place: bytes) -> None:
    data = POST + place % byte + b"\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 400)


def test_a_control_byte_is_named(server: Host) -> None:
    data = POST + b"X-Odd: a\x01b\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert "X-Odd" in ask(server, data).message


@pytest.mark.parametrize(
    "line",
    [b"X Odd: a", b"X-Odd : a", b" X-Odd: a", b": a", b"X-Odd", b"X-(Odd): a", b"X-\xffdd: a",
     b"X-Odd\t: a", b"X\x00Odd: a", b"=a", b"@: x"],
)
def test_a_name_that_is_none(server: Host, line: bytes) -> None:
    data = POST + line + b"\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 400)


def test_a_folded_line(server: Host) -> None:
    data = POST + b"X-Odd: a\r\n  b\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 400)


def test_lines_that_end_in_a_bare_newline(server: Host) -> None:
    data = (POST + b"Content-Length: 30\r\n\r\n").replace(b"\r\n", b"\n") + ORDER
    assert refused_somehow(server, data, half_close=True) in (0, 400)


def test_more_than_a_hundred_fields(server: Host) -> None:
    fields = b"".join(b"X-%d: a\r\n" % number for number in range(98))
    assert server.raw(POST + fields + b"Content-Length: 17\r\n\r\n" + b'{"do": "nothing"}'
                      ).status == 200
    fields += b"X-98: a\r\n"
    assert ask(server, POST + fields + b"Content-Length: 30\r\n\r\n" + ORDER).status == 431


def test_a_thousand_fields(server: Host) -> None:
    fields = b"".join(b"X-%d: a\r\n" % number for number in range(1000))
    data = POST + fields + b"Content-Length: 30\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 431)


def test_a_line_that_is_too_long(server: Host) -> None:
    fits = b"X-Long: " + b"a" * (8190 - 10) + b"\r\n"
    assert len(fits) == 8190
    assert server.raw(POST + fits + b"Content-Length: 17\r\n\r\n" + b'{"do": "nothing"}'
                      ).status == 200
    data = POST + b"X-Long: " + b"a" * (8191 - 10) + b"\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert ask(server, data).status == 431


@pytest.mark.parametrize("size", [20_000, 70_000, MIB])
def test_a_head_that_is_far_too_long(server: Host, size: int) -> None:
    data = POST + b"X-Long: " + b"a" * size + b"\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert refused_somehow(server, data) in (0, 413, 431)


# The request line


def test_a_request_line_that_is_too_long(server: Host) -> None:
    room = 4094 - len("GET / HTTP/1.1\r\n")
    assert server.ask("GET", "/" + "?" + "a" * (room - 1)).status == 200
    target = b"/?" + b"a" * (room + 10)
    response = ask(server, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert response.status in (400, 414)


@pytest.mark.parametrize("size", [20_000, 70_000, MIB])
def test_a_target_that_is_far_too_long(server: Host, size: int) -> None:
    data = b"GET /" + b"a" * size + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert refused_somehow(server, data) in (0, 400, 414)


@pytest.mark.parametrize(
    "line",
    [b"get / HTTP/1.1", b"G@T / HTTP/1.1", b"GE / HTTP/1.1", b"A" * 21 + b" / HTTP/1.1",
     b"GET / HTTP/1.1 x", b"GET  / HTTP/1.1", b" GET / HTTP/1.1", b"GET /", b"GET",
     b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / FTP/1.1", b"GET / http/1.1",
     b"GET / HTTP/11", b"GET / HTTP/1.x", b"GET / HTTP/1.1\x00", b"GET /\x01 HTTP/1.1",
     b"GET /\x00 HTTP/1.1", b"GET /a b HTTP/1.1", b"GET score HTTP/1.1", b"G\x00T / HTTP/1.1",
     b"GET / HTTP/-1.1", b"GET\t/\tHTTP/1.1", b"GET / HTTP/1.10"],
)
def test_a_request_line_that_is_none(server: Host, line: bytes) -> None:
    status = refused_somehow(server, line + b"\r\n" + HOST + b"\r\n", half_close=True)
    assert status in (0, 400, 501, 505)


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
     b"\x00" * 64, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n",
     b"\xff\xfe" * 500 + b"\r\n\r\n"],
)
def test_what_is_another_protocol(server: Host, data: bytes) -> None:
    assert refused_somehow(server, data, half_close=True) in (0, 400, 501, 505)


# Expectations


def test_an_unknown_expectation(server: Host) -> None:
    data = POST + b"Expect: miracle\r\nContent-Length: 30\r\n\r\n" + ORDER
    assert ask(server, data).status == 417


# Limits of the body


def test_a_body_of_exactly_the_limit_is_scored(server: Host) -> None:
    order = b'{"do": "size", "value": "%s"}'
    room = 2 * MIB - len(order) + 2
    assert server.post(order % (b"a" * room)).json == room


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(server: Host) -> None:
    data = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (2 * MIB + 1)
    response = ask(server, data)
    assert (response.status, response.interim) == (413, [])


def test_a_body_that_is_sent_all_the_same_still_gets_413(server: Host) -> None:
    response = server.post(b"a" * (2 * MIB + 1))
    assert (response.status, response.message) == (413, TOO_LARGE)


@pytest.mark.parametrize("piece", [1000, 65536])
def test_chunks_that_become_too_large_get_413(server: Host, piece: int) -> None:
    pieces = [b"a" * piece] * (2 * MIB // piece + 1)
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*pieces)
    response = server.raw(data)
    assert (response.status, response.message) == (413, TOO_LARGE)


def test_what_is_dropped_takes_no_memory(server: Host) -> None:
    """A client that goes on sending costs nothing but the reading."""
    piece = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    # A fresh host shares its memory with the supervisor until it writes to it: that is no cost.
    assert refused_somehow(server, data + piece * 50) in (0, 413)
    before = server.memory_kb()
    assert refused_somehow(server, data + piece * 500) in (0, 413)
    assert server.memory_kb() - before < 4096


# And then


def test_the_refused_are_logged_and_nobody_else_noticed(server: Host) -> None:
    with Connection(server.address) as before:
        before.send(request("GET", "/")).response("GET")
        ask(server, POST + b"Expect: a miracle\r\nContent-Length: 30\r\n\r\n")
        assert before.send(request("GET", "/")).response("GET").status == 200
    server.wait_said("Invalid request from ip=127.0.0.1: ")
    assert len(server.scorers()) == 1
    assert server.times_ready() == 1


def test_an_id_that_was_sent_comes_back_with_a_refusal(server: Host) -> None:
    data = POST + b"x-request-id: mine\r\nExpect: nothing\r\nContent-Length: 0\r\n\r\n"
    response = ask(server, data)
    assert (response.status, response.get("x-request-id")) == (417, "mine")
