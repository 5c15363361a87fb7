#!/usr/bin/env python3
"""Holds the tree to its own form: sizes, width, documentation, layers, fences.

    house.py [--root FOLDER]

Prints a line for each thing that is not as it should be, and fails if there is one. What truly
must be otherwise stands in tests/lint/forgiven.txt with a reason; that list may only shrink, so
an entry that forgives nothing is itself an error.
"""

import argparse
import ast
import re
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from csource import CFile, Function, find_functions

C_WIDTH = 79
FUNCTION_LINES, FUNCTION_MEDIAN, FUNCTION_P90 = 80, 12, 40
BRANCHES = 15
NESTING = 3
FILE_LINES, FILE_MEDIAN, HEADER_LINES = 800, 250, 250
HEADERS_REACHED_MEDIAN = 10
COMMENTS_PER_CODE_LINE = 0.6
REPEATED_LINES = 8
PYTHON_LINES, PYTHON_MEDIAN, PYTHON_P90 = 60, 8, 25
TESTS_PER_SOURCE_LINE = 1.0

# Outside headers, and the only modules (or files) that may include them.
FENCES = {
    "microhttpd.h": {"http"},
    "cjson/cJSON.h": {"config"},
    "zmq.h": {"link/zmq.c"},
    "Python.h": {"pybridge", "module", "main"},
    "structmember.h": {"pybridge", "module"},
}

# Scripts as users write them, bad ones among them, are nobody's model.
USERS_SCRIPT = re.compile(r"^(tests|benchmarks)/(.*/)?scripts/")

# Words that may not stand in csrc/, and why.
BANNED = {
    r"\bPyGILState_\w+": "assumes one interpreter",
    r"\b(?:TODO|FIXME|XXX)\b": "an issue number, or nothing",
    r"\bv?sprintf\s*\(": "cannot be told how long its buffer is",
    r"\b(?:strcpy|strcat|gets)\s*\(": "cannot be told how long its buffer is",
}


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. `subject` is what forgiven.txt would name."""

    rule: str
    file: str
    line: int
    subject: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text} [{self.rule}]"


@dataclass
class Tree:
    """The files of a tree, read once."""

    root: Path
    c_files: list[CFile] = field(default_factory=list)
    python_files: dict[str, ast.Module] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def core(self) -> list[CFile]:
        """The files of csrc/."""
        return [file for file in self.c_files if file.name.startswith("csrc/")]

    def headers(self) -> list[CFile]:
        """The headers of csrc/."""
        return [file for file in self.core() if file.name.endswith(".h")]


def read_tree(root: Path, ctags: str) -> Tree:
    """Finds and parses what the rules look at."""
    tree = Tree(root)
    for folder in ("csrc", "tests", "benchmarks"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            tree.c_files.append(CFile(path, path.relative_to(root).as_posix()))
    for folder in ("python", "tests", "benchmarks", ".ci"):
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if USERS_SCRIPT.search(name):
                continue
            try:
                tree.python_files[name] = ast.parse(path.read_text(encoding="utf-8"), name)
            except SyntaxError as error:
                tree.findings.append(
                    Finding("python-syntax", name, error.lineno or 0, "file", str(error.msg))
                )
    find_functions(tree.c_files, ctags)
    return tree


def module_of(file: CFile) -> str:
    """The folder of csrc/ that a file lies in."""
    return file.name.split("/")[1]


def definitions(files: list[CFile]) -> Iterator[tuple[CFile, Function]]:
    """Every function with a body."""
    for file in files:
        for function in file.functions:
            if not function.is_prototype:
                yield file, function


def ninth_of_ten(values: list[int]) -> float:
    """The 90th percentile."""
    ordered = sorted(values)
    return ordered[int(0.9 * (len(ordered) - 1))]


# ---- C: sizes and form -------------------------------------------------


def check_functions(tree: Tree) -> Iterator[Finding]:
    """No function is too long, too forked or too deep."""
    for file, function in definitions(tree.c_files):
        for rule, measure, most, what in (
            ("function-length", function.length, FUNCTION_LINES, "lines"),
            ("function-branches", function.branches, BRANCHES, "branches"),
            ("function-nesting", function.nesting, NESTING, "levels of nesting"),
        ):
            if measure > most:
                text = f"{function.name}: {measure} {what}, at most {most}"
                yield Finding(rule, file.name, function.line, function.name, text)


def check_function_budget(tree: Tree) -> Iterator[Finding]:
    """Most functions are short."""
    lengths = [function.length for _, function in definitions(tree.core())]
    if not lengths:
        return
    median, p90 = statistics.median(lengths), ninth_of_ten(lengths)
    if median > FUNCTION_MEDIAN:
        text = f"functions have {median} lines in the median, at most {FUNCTION_MEDIAN}"
        yield Finding("function-median", "csrc", 0, "median", text)
    if p90 > FUNCTION_P90:
        text = f"nine functions of ten have up to {p90} lines, at most {FUNCTION_P90}"
        yield Finding("function-p90", "csrc", 0, "p90", text)


def check_files(tree: Tree) -> Iterator[Finding]:
    """No file is too long, and most are short."""
    for file in tree.c_files:
        most = HEADER_LINES if file.name.endswith(".h") else FILE_LINES
        if len(file.lines) > most:
            text = f"{len(file.lines)} lines, at most {most}"
            yield Finding("file-length", file.name, 0, "file", text)
    for name in tree.python_files:
        count = len((tree.root / name).read_text(encoding="utf-8").splitlines())
        if count > FILE_LINES:
            yield Finding("file-length", name, 0, "file", f"{count} lines, at most {FILE_LINES}")
    lengths = [len(file.lines) for file in tree.core()]
    if lengths and statistics.median(lengths) > FILE_MEDIAN:
        text = f"files have {statistics.median(lengths)} lines in the median, at most {FILE_MEDIAN}"
        yield Finding("file-median", "csrc", 0, "median", text)


def check_width(tree: Tree) -> Iterator[Finding]:
    """No C line is wider than a terminal, in the tables (.def) neither."""
    tables = [CFile(path, f"csrc/{path.parent.name}/{path.name}")
              for path in sorted((tree.root / "csrc").glob("*/*.def"))]
    for file in tree.c_files + tables:
        for number, line in enumerate(file.lines, 1):
            if len(line) > C_WIDTH:
                text = f"{len(line)} columns, at most {C_WIDTH}"
                yield Finding("width", file.name, number, str(number), text)


def check_banned(tree: Tree) -> Iterator[Finding]:
    """Some words have no place in csrc/."""
    for file in tree.core():
        for number, line in enumerate(file.lines, 1):
            for pattern, why in BANNED.items():
                found = re.search(pattern, line)
                if found:
                    word = found.group().rstrip(" (")
                    yield Finding("banned", file.name, number, word, f"{word}: {why}")


def check_repeats(tree: Tree) -> Iterator[Finding]:
    """Nothing is written twice: no run of eight lines of code occurs again."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    for file in tree.core():
        code = [
            (number, " ".join(line.split()))
            for number, line in enumerate(file.without_comments.split("\n"), 1)
            if line.strip() and not line.lstrip().startswith("#include")
        ]
        last = ("", 0)
        for at in range(len(code) - REPEATED_LINES + 1):
            run = tuple(line for _, line in code[at : at + REPEATED_LINES])
            first = seen.setdefault(run, (file.name, code[at][0]))
            line = code[at][0]
            is_new = (last[0] != first[0]) or first[1] - last[1] > REPEATED_LINES
            if first != (file.name, line):
                if is_new:
                    text = f"{REPEATED_LINES} lines or more stand at {first[0]}:{first[1]} too"
                    yield Finding("repeat", file.name, line, first[0], text)
                last = first


# ---- C: documentation --------------------------------------------------


def check_headers_begin(tree: Tree) -> Iterator[Finding]:
    """A header begins with what it is."""
    for file in tree.headers():
        base = file.name.rsplit("/", 1)[1]
        if not file.text.startswith(f"/* {base} - "):
            text = f"does not begin with `/* {base} - what it is`"
            yield Finding("header-begin", file.name, 1, "file", text)


def check_documented(tree: Tree) -> Iterator[Finding]:
    """What a header declares has a comment right above it."""
    for file in tree.headers():
        for function in file.functions:
            if not file.documentation(function):
                text = f"{function.name}() has no comment above it"
                yield Finding("documented", file.name, function.line, function.name, text)


def check_comment_share(tree: Tree) -> Iterator[Finding]:
    """Headers explain."""
    code = sum(file.code_lines for file in tree.headers())
    comments = sum(file.comment_lines for file in tree.headers())
    if code and comments / code < COMMENTS_PER_CODE_LINE:
        text = f"headers have {comments / code:.2f} comment lines for each line of code, " + (
            f"at least {COMMENTS_PER_CODE_LINE}"
        )
        yield Finding("comment-share", "csrc", 0, "headers", text)


# ---- C: who may include whom -------------------------------------------


def read_layers(tree: Tree) -> tuple[dict[str, set[str]], list[Finding]]:
    """layers.txt as a table, and what is wrong with it."""
    name = "csrc/layers.txt"
    layers: dict[str, set[str]] = {}
    findings = []
    for number, line in enumerate((tree.root / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        module, _, below = line.partition(":")
        for other in below.split():
            if other not in layers:
                text = f"{module} names {other}, which does not stand above this line"
                findings.append(Finding("layers", name, number, module, text))
        if not (tree.root / "csrc" / module).is_dir():
            text = f"there is no folder csrc/{module}"
            findings.append(Finding("layers", name, number, module, text))
        layers[module] = set(below.split())
    return layers, findings


def check_layers(tree: Tree) -> Iterator[Finding]:
    """A module includes itself and what layers.txt lets it include."""
    layers, findings = read_layers(tree)
    yield from findings
    for file in tree.core():
        module = module_of(file)
        if module not in layers:
            text = f"csrc/{module} is not in layers.txt"
            yield Finding("layers", file.name, 0, module, text)
            continue
        for line, include in file.includes:
            other, slash, base = include[1:-1].partition("/")
            if include[0] != '"':
                continue
            if not slash or not (tree.root / "csrc" / other / base).is_file():
                text = f"{include} is not the path of a header from csrc/"
                yield Finding("include-path", file.name, line, include, text)
            elif other != module and other not in layers[module]:
                text = f"{module} may not include {include}: layers.txt"
                yield Finding("layers", file.name, line, include, text)
            elif other != module and base.endswith("_int.h"):
                text = f"{include} is {other}'s own"
                yield Finding("layers", file.name, line, include, text)


def check_fences(tree: Tree) -> Iterator[Finding]:
    """An outside header stays in the modules that wrap it."""
    for file in tree.core():
        for line, include in file.includes:
            allowed = FENCES.get(include[1:-1])
            if allowed is not None and not {module_of(file), file.name[5:]} & allowed:
                text = f"{include} belongs to {', '.join(sorted(allowed))}"
                yield Finding("fence", file.name, line, include, text)


def check_reach(tree: Tree) -> Iterator[Finding]:
    """Reading one file does not take reading all."""
    own = {file.name[len("csrc/") :]: file for file in tree.core()}

    def reached(name: str, seen: set[str]) -> set[str]:
        for _, include in own[name].includes if name in own else []:
            if include[0] == '"' and include[1:-1] not in seen:
                seen.add(include[1:-1])
                reached(include[1:-1], seen)
        return seen

    counts = [len(reached(name, set())) for name in own if name.endswith(".c")]
    if counts and statistics.median(counts) > HEADERS_REACHED_MEDIAN:
        text = f"a .c reaches {statistics.median(counts)} of our headers in the median, " + (
            f"at most {HEADERS_REACHED_MEDIAN}"
        )
        yield Finding("reach", "csrc", 0, "median", text)


# The sentence may be in several pieces; its last one ends in a full stop.
EVENT = re.compile(
    r'X\((?P<name>\w+),\s*"(?P<id>[^"]*)",\s*\w+,\s*[01],\s*(?:"[^"\n]*"\s+)*"[^"\n]*\."\)'
)


def check_events(tree: Tree) -> Iterator[Finding]:
    """The table of log events is what is logged: each is used, ids and names are their own."""
    name = "csrc/base/log_events.def"
    table = tree.root / name
    if not table.is_file():
        return
    code = "\n".join(file.code for file in tree.core())
    used = set(re.findall(r"\bSCO_EVENT_(\w+)", code)) - {"COUNT"}
    listed: set[str] = set()
    text = table.read_text(encoding="utf-8")
    for start in re.finditer(r"^X\(", text, re.MULTILINE):
        number = text.count("\n", 0, start.start()) + 1
        entry = EVENT.match(text, start.start())
        if entry is None:
            form = 'an entry is X(NAME, "id", LEVEL, shown, "Sentence.")'
            yield Finding("events", name, number, str(number), form)
            continue
        event, wanted = entry["name"], entry["name"].lower().replace("_", "-")
        if entry["id"] != wanted:
            yield Finding("events", name, number, event, f"the id of {event} is not {wanted}")
        if event not in used:
            yield Finding("events", name, number, event, f"{event} is logged nowhere")
        listed.add(event)
    for event in sorted(used - listed):
        yield Finding("events", name, 0, event, f"{event} is logged and not listed")


# ---- Python ------------------------------------------------------------

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def python_functions(module: ast.Module) -> Iterator[Definition]:
    """Every function, those in classes and functions too."""
    for node in ast.walk(module):
        if isinstance(node, Definition):
            yield node


def python_length(function: Definition) -> int:
    """Lines from def to the last one."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def check_python_functions(tree: Tree) -> Iterator[Finding]:
    """No Python function is too long, and most of the package's are short."""
    lengths = []
    for name, module in tree.python_files.items():
        for function in python_functions(module):
            length = python_length(function)
            if name.startswith("python/"):
                lengths.append(length)
            if length > PYTHON_LINES:
                text = f"{function.name}: {length} lines, at most {PYTHON_LINES}"
                yield Finding("python-length", name, function.lineno, function.name, text)
    if not lengths:
        return
    median, p90 = statistics.median(lengths), ninth_of_ten(lengths)
    if median > PYTHON_MEDIAN:
        text = f"functions have {median} lines in the median, at most {PYTHON_MEDIAN}"
        yield Finding("python-median", "python", 0, "median", text)
    if p90 > PYTHON_P90:
        text = f"nine functions of ten have up to {p90} lines, at most {PYTHON_P90}"
        yield Finding("python-p90", "python", 0, "p90", text)


def public_definitions(body: list[ast.stmt], before: str) -> Iterator[tuple[str, int, bool]]:
    """Name, line and "has a docstring" of what a module or class offers."""
    for node in body:
        if isinstance(node, Definition | ast.ClassDef) and not node.name.startswith("_"):
            yield before + node.name, node.lineno, ast.get_docstring(node) is not None
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, node.name + ".")


def check_docstrings(tree: Tree) -> Iterator[Finding]:
    """What the package offers is described."""
    for name, module in tree.python_files.items():
        if not name.startswith("python/"):
            continue
        if ast.get_docstring(module) is None:
            yield Finding("docstring", name, 1, "module", "the module has no docstring")
        for subject, line, has_docstring in public_definitions(module.body, ""):
            if not has_docstring:
                yield Finding("docstring", name, line, subject, f"{subject} has no docstring")


# ---- the whole ---------------------------------------------------------


def check_tests(tree: Tree) -> Iterator[Finding]:
    """There is as much test as there is source."""
    def lines(*folders: str) -> int:
        names = [file.name for file in tree.c_files] + list(tree.python_files)
        chosen = [name for name in names if name.startswith(folders)]
        return sum(len((tree.root / name).read_text().splitlines()) for name in chosen)

    source, tests = lines("csrc/", "python/"), lines("tests/")
    if tests < TESTS_PER_SOURCE_LINE * source:
        text = f"{tests} lines of tests for {source} of source"
        yield Finding("tests", "tests", 0, "lines", text)


RULES: list[Callable[[Tree], Iterator[Finding]]] = [
    check_functions,
    check_function_budget,
    check_files,
    check_width,
    check_banned,
    check_repeats,
    check_headers_begin,
    check_documented,
    check_comment_share,
    check_layers,
    check_fences,
    check_reach,
    check_events,
    check_python_functions,
    check_docstrings,
    check_tests,
]


def forgive(tree: Tree, findings: list[Finding]) -> list[Finding]:
    """Takes out what forgiven.txt lists: a line is `rule file subject reason`."""
    name = "tests/lint/forgiven.txt"
    path = tree.root / name
    left = list(findings)
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        rule, file, subject, reason = (line.split(None, 3) + [""] * 4)[:4]
        forgiven = [f for f in left if (f.rule, f.file, f.subject) == (rule, file, subject)]
        if not reason:
            left.append(Finding("forgiven", name, number, subject, "gives no reason"))
        elif not forgiven:
            left.append(Finding("forgiven", name, number, subject, "forgives nothing: take it out"))
        else:
            left = [finding for finding in left if finding not in forgiven]
    return left


def check(root: Path) -> tuple[Tree, list[Finding]]:
    """All that is not as it should be in a tree."""
    ctags = shutil.which("ctags-universal") or shutil.which("ctags")
    if ctags is None:
        sys.exit("house.py: universal-ctags is not here")
    tree = read_tree(root, ctags)
    findings = tree.findings + [finding for rule in RULES for finding in rule(tree)]
    return tree, forgive(tree, findings)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    tree, findings = check(parser.parse_args().root)
    for finding in findings:
        print(finding)
    count = len(tree.c_files) + len(tree.python_files)
    print(f"house.py: {count} files, {len(findings)} things not as they should be")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
