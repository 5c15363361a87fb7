"""Each rule of house.py can fail, and a tree that is in order passes."""

from collections.abc import Callable
from pathlib import Path

import csource
import house
import pytest

HEADER = """\
/* list.h - things in a row
 *
 * Thread: any.
 */
#ifndef SCO_BASE_LIST_H
#define SCO_BASE_LIST_H

#include "base/status.h"

/* Empties it. */
enum sco_status
sco_list_clear(int list);

#endif
"""

STATUS = """\
/* status.h - how it went
 */
enum sco_status { SCO_OK };
"""

SOURCE = """\
#include "base/list.h"

enum sco_status
sco_list_clear(int list)
{
    if (list > 0) {
        sco_log(SCO_EVENT_CLEARED, "gone");
    }
    return SCO_OK;
}
"""

EVENTS = """\
X(CLEARED, "cleared", SCO_LOG_INFO, 0,
  "A list is "
  "empty again.")
"""

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A small tree that is in order, and a way to write into it."""

    def write_file(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    write_file("csrc/layers.txt", "# who\nbase:\nhttp: base\n")
    write_file("csrc/base/list.h", HEADER)
    write_file("csrc/base/status.h", STATUS)
    write_file("csrc/base/list.c", SOURCE)
    write_file("csrc/base/log_events.def", EVENTS)
    write_file("csrc/http/http.h", "/* http.h - the wire */\n#include <microhttpd.h>\n")
    write_file("python/scorehost/one.py", '"""One."""\n\n\ndef one() -> int:\n    """1."""\n')
    write_file("tests/unit/test_all.c", "\n" * 300)
    return write_file


def broken(root: Path) -> set[str]:
    """The rules that a tree breaks."""
    return {finding.rule for finding in house.check(root)[1]}


def test_a_tree_in_order_passes(tmp_path: Path, write: Write) -> None:
    assert [str(finding) for finding in house.check(tmp_path)[1]] == []


def function(body: str) -> str:
    """A C file with one function."""
    return f"void\nf(int a)\n{{\n{body}}}\n"


LONG_RUN = "".join(f"    step_{i}(a);\n" for i in range(8))
THREE = "    if (a) {\n        while (a) {\n            switch (a) {\n            case 1:\n"
FOUR = THREE + "                if (a) {\n                    a--;\n                }\n"
CLOSE = "            }\n        }\n    }\n"


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("function-length", "csrc/base/x.c", function("    a++;\n" * 80)),
        ("function-branches", "csrc/base/x.c", function("    a = a ? 1 : 2;\n" * 16)),
        ("function-nesting", "csrc/base/x.c", function(FOUR + CLOSE)),
        ("function-median", "csrc/base/x.c", function("    a++;\n" * 70)),
        ("function-p90", "csrc/base/x.c", function("    a++;\n" * 45) * 9),
        ("file-length", "csrc/base/x.c", "\n" * 801),
        ("file-length", "csrc/base/x.h", "/* x.h - many lines */\n" + "\n" * 250),
        ("file-length", "tests/python/test_x.py", "\n" * 801),
        ("width", "csrc/base/x.c", f"/* {'x' * 74} */\n"),
        ("width", "tests/unit/test_x.c", f"/* {'x' * 74} */\n"),
        ("width", "csrc/base/x.def", f"/* {'x' * 74} */\n"),
        ("banned", "csrc/base/x.c", "/* TODO: later */\n"),
        ("banned", "csrc/base/x.c", function("    PyGILState_Ensure();\n")),
        ("banned", "csrc/base/x.c", function("    sprintf(b, c);\n")),
        ("repeat", "csrc/base/x.c", function(LONG_RUN) + function(LONG_RUN)),
        ("header-begin", "csrc/base/x.h", "/* The x. */\n"),
        ("documented", "csrc/base/x.h", "/* x.h - x */\n\nint sco_x(int a,\n          int b);\n"),
        ("documented", "csrc/base/x.h", "/* x.h - x */\n#define A 1\nint sco_x(void);\n"),
        ("documented", "csrc/base/x.h", "/* x.h - x */\n/* X. */\n\nint sco_x(void);\n"),
        (
            "documented",
            "csrc/base/x.h",
            "/* x.h - x */\n\nstatic inline int\nsco_x(void)\n{\n    return 1;\n}\n",
        ),
        ("comment-share", "csrc/base/x.h", "/* x.h - x */\n" + "extern int x;\n" * 60),
        ("layers", "csrc/base/x.c", '#include "http/http.h"\n'),
        ("layers", "csrc/queue/x.c", "\n"),
        ("layers", "csrc/layers.txt", "base: http\nhttp: base\n"),
        ("layers", "csrc/layers.txt", "base:\nhttp: base\nqueue: base\n"),
        ("include-path", "csrc/base/x.c", '#include "list.h"\n'),
        ("include-path", "csrc/base/x.c", '#include "base/none.h"\n'),
        ("fence", "csrc/base/x.c", "#include <microhttpd.h>\n"),
        ("fence", "csrc/http/x.c", "#  include <Python.h>\n"),
        ("fence", "csrc/http/x.c", "#include <cjson/cJSON.h>\n"),
        ("events", "csrc/base/x.c", function("    sco_log(SCO_EVENT_LOST);\n")),
        ("events", "csrc/base/log_events.def", EVENTS + EVENTS.replace("CLEARED", "OTHER")),
        ("events", "csrc/base/log_events.def", EVENTS.replace('"cleared"', '"emptied"')),
        ("events", "csrc/base/log_events.def", EVENTS.replace(".", "")),
        ("events", "csrc/base/log_events.def", EVENTS.replace('"cleared", ', "")),
        ("python-syntax", "tests/e2e/test_x.py", "def f(:\n"),
        ("python-length", "tests/e2e/test_x.py", "def f():\n" + "    pass\n" * 60),
        ("python-median", "python/scorehost/x.py", "def _f():\n" + "    pass\n" * 20),
        ("python-p90", "python/scorehost/x.py", ("def _f():\n" + "    pass\n" * 28) * 20),
        ("docstring", "python/scorehost/x.py", "x = 1\n"),
        ("docstring", "python/scorehost/x.py", '"""X."""\ndef f(): ...\n'),
        ("docstring", "python/scorehost/x.py", '"""X."""\nclass C:\n    """C"""\n    def f(): 1\n'),
        ("tests", "tests/unit/test_all.c", "\n"),
        ("forgiven", "tests/lint/forgiven.txt", "width csrc/base/list.c 3 it was wide once\n"),
    ],
)
def test_a_rule_can_fail(tmp_path: Path, write: Write, rule: str, name: str, text: str) -> None:
    write(name, text)
    assert rule in broken(tmp_path)


def test_anothers_inner_header_is_refused(tmp_path: Path, write: Write) -> None:
    write("csrc/base/base_int.h", "/* base_int.h - inside */\n")
    write("csrc/base/x.c", '#include "base/base_int.h"\n')
    assert "layers" not in broken(tmp_path)
    write("csrc/http/x.c", '#include "base/base_int.h"\n')
    assert "layers" in broken(tmp_path)


def test_a_house_of_long_files_is_refused(tmp_path: Path, write: Write) -> None:
    for i in range(9):
        write(f"csrc/base/x{i}.c", "\n" * 260)
    assert "file-median" in broken(tmp_path)


def test_a_file_that_reaches_everything_is_refused(tmp_path: Path, write: Write) -> None:
    for i in range(12):
        deeper = f'#include "base/h{i + 1}.h"\n' if i < 11 else ""
        write(f"csrc/base/h{i}.h", f"/* h{i}.h - one of many */\n{deeper}")
        write(f"csrc/base/x{i}.c", '#include "base/h0.h"\n')
    assert "reach" in broken(tmp_path)


def test_what_is_forgiven_with_a_reason_passes(tmp_path: Path, write: Write) -> None:
    write("csrc/base/x.c", function("    a++;\n" * 80) + function("    a++;\n") * 40)
    write("tests/lint/forgiven.txt", "function-length csrc/base/x.c f\n")
    assert {"function-length", "forgiven"} <= broken(tmp_path)
    write("tests/lint/forgiven.txt", "function-length csrc/base/x.c f One table, no logic.\n")
    assert broken(tmp_path).isdisjoint({"function-length", "forgiven"})


def test_users_scripts_are_not_held_to_the_form(tmp_path: Path, write: Write) -> None:
    write("tests/scripts/bad.py", "def broken(:\n")
    assert broken(tmp_path) == set()


@pytest.mark.parametrize(
    ("code", "levels"),
    [
        ("{ }", 0),
        ("{ a(); if (a) { b(); } }", 1),
        ("{ if (a) { } else if (b) { } else { for (;;) { } } }", 2),
        ("{ do { while (1) { } } while (0); }", 2),
        ("{ each_of(a, b) { c(); } }", 1),
        ("{ int a[] = { { 1 }, { { 2 } } }; }", 0),
        ("{ return (struct x){ .a = { 1 } }; }", 0),
        ("{ f((struct x){ 1 }, &(struct y){ { 2 } }); }", 0),
        ("{ switch (a) { case 1: { b(); } } }", 2),
    ],
)
def test_nesting_counts_blocks_alone(code: str, levels: int) -> None:
    definition = csource.Function("f", 1, 1, False, False, code="f(void) " + code)
    assert definition.nesting == levels


def test_words_in_comments_and_strings_are_no_branches(tmp_path: Path, write: Write) -> None:
    write("csrc/base/x.c", function('    a("if ? for"); /* while if */\n' * 20))
    assert "function-branches" not in broken(tmp_path)
