"""What the server under test does otherwise than the reference, on purpose.

The one list: the suite lets nothing else pass, each entry has to differ
indeed, and the table in the package's README is made of it::

    python -m differential.differences
"""

from __future__ import annotations

from .compare import Difference, Here, Lines

DIFFERENCES: tuple[Difference, ...] = ()


def table() -> str:
    """Give the list as a table in Markdown."""
    rows = ["| id | what | Microsoft's server | scorehost | why |",
            "|---|---|---|---|---|"]
    rows += [f"| `{item.id}` | {item.what} | {item.theirs} | {item.ours} "
             f"| {item.why} |" for item in DIFFERENCES]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
