"""What house.py wants to know of a C file: its functions, prototypes and include lines.

universal-ctags finds the functions; the rest is counted in the text with comments and strings
blanked out, so that neither looks like code.
"""

import json
import re
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

COMMENT_OR_STRING = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*(?:\\\n(?:[^\n\\]|\\.)*)*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<name>"[^"]+"|<[^>]+>)', re.MULTILINE)
TOKEN = re.compile(r"\w+|\S")
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|\?")
OPENERS = {"else", "do", ";", "{", "}", ":"}
KEYWORDS_BEFORE_VALUE = {"return", "sizeof", "case"}


def blank(match: re.Match[str]) -> str:
    """Spaces instead of what matched; the line breaks stay."""
    return re.sub(r"[^\n]", " ", match.group())


@dataclass
class Function:
    """A definition, a prototype in a header among them."""

    name: str
    line: int
    end: int
    is_prototype: bool
    is_static: bool
    code: str = field(repr=False, default="")

    @property
    def length(self) -> int:
        """Lines from the one with the name to the closing brace."""
        return self.end - self.line + 1

    @property
    def branches(self) -> int:
        """Places where the way forks: if, for, while, case and ?:."""
        return len(BRANCH.findall(self.code))

    @property
    def nesting(self) -> int:
        """How deep blocks stand in each other; the function's own is 0."""
        return max(0, deepest_block(self.code) - 1)


def deepest_block(code: str) -> int:
    """Counts the braces that open a block, not those around an initialiser's values."""
    parens: list[str] = []
    braces: list[bool] = []
    deepest, before, called = 0, ";", ""
    for token in TOKEN.findall(code):
        if token == "(":
            parens.append(before)
        elif token == ")":
            called = parens.pop() if parens else ""
        elif token == "{":
            # `if (...) {` and `each_of(...) {` open a block; `(struct x){` does not.
            follows_call = before == ")" and (called[:1].isalpha() or called[:1] == "_")
            is_block = (follows_call and called not in KEYWORDS_BEFORE_VALUE) or (
                before in OPENERS and (not braces or braces[-1])
            )
            braces.append(is_block)
            deepest = max(deepest, sum(braces))
        elif token == "}" and braces:
            braces.pop()
        before = token
    return deepest


@dataclass
class CFile:
    """One C file of the tree."""

    path: Path
    name: str  # from the root of the tree
    functions: list[Function] = field(default_factory=list)

    @cached_property
    def text(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines."""
        return self.text.splitlines()

    @cached_property
    def code(self) -> str:
        """The text without comments, strings and preprocessor lines."""
        return DIRECTIVE.sub(blank, COMMENT_OR_STRING.sub(blank, self.text))

    @cached_property
    def without_comments(self) -> str:
        """The text with comments alone blanked out."""
        return COMMENT_OR_STRING.sub(
            lambda match: blank(match) if match.group("comment") else match.group(), self.text
        )

    @cached_property
    def comment_lines(self) -> int:
        """Lines with a comment on them."""
        return sum(a != b for a, b in zip(self.lines, self.without_comments.split("\n")))

    @cached_property
    def code_lines(self) -> int:
        """Lines with something else than a comment on them."""
        return sum(bool(line.strip()) for line in self.without_comments.split("\n"))

    @cached_property
    def includes(self) -> list[tuple[int, str]]:
        """Line and name of each include line, with its quotes or brackets."""
        text = self.without_comments
        return [
            (text.count("\n", 0, match.start("name")) + 1, match.group("name"))
            for match in INCLUDE.finditer(text)
        ]

    def documentation(self, function: Function) -> str:
        """The comment that ends right above a declaration; empty when there is none."""
        at = function.line - 2
        while at >= 0 and self.is_continued(self.lines[at]):
            at -= 1
        if at < 0 or not self.lines[at].rstrip().endswith("*/"):
            return ""
        above = at
        while above >= 0 and "/*" not in self.lines[above]:
            above -= 1
        return "\n".join(self.lines[above : at + 1])

    @staticmethod
    def is_continued(line: str) -> bool:
        """Whether a line is the first half of the declaration on the next one."""
        line = line.rstrip()
        return line != "" and not line.endswith(("*/", ";", "}", "{")) and line[:1] not in "#/"


def find_functions(files: list[CFile], ctags: str) -> None:
    """Asks ctags for the functions and prototypes of all files at once."""
    by_path = {str(file.path): file for file in files}
    command = [ctags, "--quiet", "--options=NONE", "--output-format=json", "--languages=C"]
    command += ["--map-C=+.h", "--kinds-C=fp", "--fields=+neS{file}", "-I", "SCO_NODISCARD"]
    result = subprocess.run(
        [*command, "-f", "-", "-L", "-"], input="\n".join(by_path), capture_output=True,
        text=True, check=True,
    )
    for line in result.stdout.splitlines():
        tag = json.loads(line)
        file = by_path[tag["path"]]
        start, end = tag["line"], tag.get("end", tag["line"])
        file.functions.append(
            Function(
                name=tag["name"],
                line=start,
                end=end,
                is_prototype=tag["kind"] == "prototype",
                is_static=bool(tag.get("file")),
                code="\n".join(file.code.split("\n")[start - 1 : end]),
            )
        )
