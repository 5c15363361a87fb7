"""Returns a value of the kind that the request names."""

import collections
import dataclasses
import datetime
import decimal
import enum
import uuid
from types import MappingProxyType, SimpleNamespace
from typing import Any, Callable


class Colour(enum.IntEnum):
    """Encoded as its number."""

    RED = 3


class Plain(enum.Enum):
    """Not encodable."""

    ONE = 1


class Loud(str):
    """A str by inheritance."""


class Table(dict):  # type: ignore[type-arg]
    """A dict by inheritance."""


class Failing(dict):  # type: ignore[type-arg]
    """A dict that cannot be walked."""

    def items(self) -> Any:
        """Fail where the encoder looks."""
        raise RuntimeError("items() fails")


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Record:
    """Not encodable."""

    name: str = "a"


def circular() -> list[Any]:
    """Make a list that holds itself."""
    ring: list[Any] = []
    ring.append(ring)
    return ring


def deep(depth: int) -> list[Any]:
    """Make a list of lists, `depth` levels."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


async def coroutine() -> str:
    """Never awaited by a host."""
    return "late"


KINDS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "empty str": lambda: "",
    "str": lambda: "text",
    "str of json": lambda: '{"already": "encoded"}',
    "str unicode": lambda: "żółć \U0001f600 \x00 \x7f \u2028 </script>",
    "str surrogate": lambda: "\ud800",
    "str subclass": lambda: Loud("loud"),
    "empty dict": lambda: {},
    "dict": lambda: {"b": 1, "a": [1, 2.5, None, True]},
    "dict unicode": lambda: {"klucz ż": "wartość"},
    "dict subclass": lambda: Table(a=1),
    "ordered dict": lambda: collections.OrderedDict([("z", 1), ("a", 2)]),
    "default dict": lambda: collections.defaultdict(list, a=[1]),
    "counter": lambda: collections.Counter("aab"),
    "failing dict": lambda: Failing(a=1),
    "dict odd keys": lambda: {1: "int", None: "none", True: "t", 2.5: "f"},
    "dict tuple keys": lambda: {(1, 2): "x"},
    "dict bytes keys": lambda: {b"k": 1},
    "dict enum key": lambda: {Colour.RED: 1},
    "mapping proxy": lambda: MappingProxyType({"a": 1}),
    "empty list": lambda: [],
    "list": lambda: [1, "two", 3.0, None, False, {"k": []}],
    "tuple": lambda: (1, 2),
    "tuple with status": lambda: ("x", 201),
    "dict with status": lambda: ({"a": 1}, 404, {"X-A": "b"}),
    "namedtuple": lambda: Point(1, 2),
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "int": lambda: 42,
    "big int": lambda: 10 ** 40,
    "huge int": lambda: 10 ** 5000,
    "negative": lambda: -1,
    "float": lambda: 0.1,
    "float whole": lambda: 3.0,
    "float tiny": lambda: 5e-324,
    "float large": lambda: 1e22,
    "float sum": lambda: 0.1 + 0.2,
    "minus zero": lambda: -0.0,
    "nan": lambda: float("nan"),
    "infinities": lambda: [float("inf"), float("-inf")],
    "int enum": lambda: Colour.RED,
    "enum": lambda: Plain.ONE,
    "bytes": lambda: b"raw \xff bytes",
    "empty bytes": lambda: b"",
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "bytes in list": lambda: [b"x"],
    "set": lambda: {1},
    "frozenset": lambda: frozenset([1]),
    "range": lambda: range(3),
    "complex": lambda: 1 + 2j,
    "decimal": lambda: decimal.Decimal("1.10"),
    "datetime": lambda: datetime.datetime(2024, 2, 29, 12, 30),
    "date": lambda: datetime.date(2024, 2, 29),
    "timedelta": lambda: datetime.timedelta(seconds=5),
    "uuid": lambda: uuid.UUID(int=5),
    "dataclass": Record,
    "namespace": lambda: SimpleNamespace(a=1),
    "object": object,
    "class": lambda: Record,
    "function": lambda: len,
    "exception": lambda: ValueError("returned, not raised"),
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "iterator": lambda: iter([1, 2]),
    "map": lambda: map(str, [1, 2]),
    "dict keys": lambda: {"a": 1}.keys(),
    "coroutine": coroutine,
    "circular": circular,
    "deep 100": lambda: deep(100),
    "deep 100000": lambda: deep(100_000),
    "wide": lambda: list(range(20_000)),
    "long str": lambda: "x" * 300_000,
    "nested failure": lambda: {"ok": 1, "bad": [{"deeper": {1}}]},
}


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Make the value that the body names."""
    return KINDS[data]()
