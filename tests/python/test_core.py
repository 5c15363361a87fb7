"""The extension module as Python sees it; what it does is tested in C and e2e."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import scorehost
from scorehost import _core

STUBS = Path(scorehost.__file__).with_name("_core.pyi")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own, for what changes the process it is in."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=250,
    )


def stub_names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Yields the public names of the stubs, methods as `Class.method`."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from stub_names(node.body, node.name + ".")


def test_the_stubs_name_what_is_there() -> None:
    """Every name that mypy believes in can be found in the module."""
    for name in stub_names(ast.parse(STUBS.read_text()).body):
        found: object = _core
        for part in name.split("."):
            found = getattr(found, part)


def test_nothing_else_is_public() -> None:
    public = {name for name in vars(_core) if not name.startswith("_")}
    assert public == {
        "Call", "DeviceTensor", "Gpu", "Link", "Tensor", "attach", "cancelled", "connect",
        "curve_keypair", "open_gpu", "probe", "serve", "tie", "time_left", "version",
    }


# What a script may ask for


def test_outside_of_a_request_nothing_is_cancelled() -> None:
    assert scorehost.cancelled() is False
    assert scorehost.time_left() is None
    assert _core.cancelled is scorehost.cancelled


def test_cancelled_is_no_exception_that_scripts_swallow() -> None:
    assert issubclass(scorehost.Cancelled, BaseException)
    assert not issubclass(scorehost.Cancelled, Exception)


def test_the_package_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="'scorehost' has no attribute 'canceled'"):
        scorehost.canceled  # type: ignore[attr-defined]  # noqa: B018


def test_what_a_script_may_ask_for_is_imported_when_it_asks() -> None:
    """The console script imports the package, and should not wait for these."""
    ended = run_python(
        """
        import sys
        import scorehost
        assert not [name for name in sys.modules if name.startswith("scorehost.")]
        scorehost.Cancelled, scorehost.cancelled
        print("Cancelled" in vars(scorehost), "scorehost._core" in sys.modules)
        """
    )
    assert ended.stdout == "True True\n", ended.stderr


def test_version_names_the_library_and_how_strict_it_is() -> None:
    assert _core.version().startswith("scorehost ")
    assert "libmicrohttpd" in _core.version()


@pytest.mark.parametrize("type_", [_core.Call, _core.Link])
def test_the_types_are_ours_alone(type_: type) -> None:
    """They wrap memory of the link: nobody makes, derives or changes one."""
    with pytest.raises(TypeError):
        type_()
    with pytest.raises(TypeError):
        type("Derived", (type_,), {})
    with pytest.raises(TypeError):
        type_.extra = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("args", [(), ("{}",), (b"{}", "{}"), ("{}", None), ("{}", "{}", "{}")])
def test_serve_wants_two_texts(args: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        _core.serve(*args)  # type: ignore[arg-type]


def test_a_config_that_is_no_json_ends_with_1() -> None:
    ended = run_python(
        """
        from scorehost import _core
        print(_core.serve("{", "{}"))
        """
    )
    assert ended.stdout == "1\n"
    assert ended.stderr


def test_attach_to_a_host_that_is_gone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        theirs.close()
        with pytest.raises(ConnectionError, match="the host is gone"):
            _core.attach(ours.fileno(), os.getppid())


@pytest.mark.parametrize("hello", [b"x", b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 4096])
def test_attach_to_something_else(hello: bytes) -> None:
    """Nothing is mapped on the word of a stranger, and no descriptor is lost."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        before = os.listdir("/proc/self/fd")
        theirs.send(hello)
        with pytest.raises(ValueError, match="host of this version"):
            _core.attach(ours.fileno(), os.getppid())
        assert os.listdir("/proc/self/fd") == before


def test_attach_to_no_descriptor() -> None:
    with pytest.raises(TypeError):
        _core.attach("3")  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        _core.attach(2**40)


# Where a subinterpreter with a GIL of its own comes from.
SUBINTERPRETER = """
    import sys
    if sys.version_info >= (3, 13):
        import _interpreters
        made = _interpreters.create("isolated")
        def run(code):
            failed = _interpreters.exec(made, code)
            if failed is not None:
                raise RuntimeError(failed.formatted)
    else:
        import _xxsubinterpreters
        made = _xxsubinterpreters.create(isolated=True)
        def run(code):
            _xxsubinterpreters.run_string(made, code)
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="one GIL for all interpreters")
def test_it_loads_into_an_interpreter_with_its_own_gil() -> None:
    ended = run_python(
        textwrap.dedent(SUBINTERPRETER)
        + textwrap.dedent(
            '''
            from scorehost import _core
            run("""
            from scorehost import _core
            print(_core.version(), flush=True)
            try:
                _core.serve("{}", "{}")
            except RuntimeError as error:
                print(error, flush=True)
            """)
            '''
        )
    )
    lines = ended.stdout.splitlines()
    assert lines == [_core.version(), "serve() is for the main interpreter"], ended.stderr
