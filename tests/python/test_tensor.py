"""Numbers of JSON to memory and back, against Python's json and NumPy: no difference is allowed.

The C of csrc/tensor/ is compiled into a shared object here. The seed is in the name of each test
that draws at random, and SCOREHOST_TENSOR_ROUNDS=100 draws a hundred times as much.
"""

import ctypes
import json
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("SCOREHOST_TENSOR_ROUNDS", "1"))
COUNT = 20_000
DTYPES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64"
NAMES = DTYPES.split()
FLOATS = ["float64", "float32", "float16"]


class Result(ctypes.Structure):
    """struct glue_result."""

    _fields_ = [
        ("count", ctypes.c_uint64),
        ("rank", ctypes.c_uint64),
        ("dims", ctypes.c_uint64 * 32),
        ("used", ctypes.c_uint64),
        ("error", ctypes.c_char * 256),
    ]


class Tensors:
    """tests/unit/tensor/glue.c."""

    def __init__(self, library: Path) -> None:
        self.lib = ctypes.CDLL(str(library))
        self.lib.glue_print.restype = ctypes.c_size_t

    def read(self, dtype: str, text: bytes, piece: int = 0) -> np.ndarray:
        """The array of a text; ValueError with what C says otherwise."""
        out = np.empty(len(text) + 1, dtype="uint16" if dtype == "bfloat16" else dtype)
        result = Result()
        status = self.lib.glue_read(
            NAMES.index(dtype), text, ctypes.c_size_t(len(text)), ctypes.c_size_t(piece),
            out.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(out.nbytes),
            ctypes.byref(result),
        )
        if status != 0:
            raise ValueError(result.error.decode())
        if text[result.used:].strip(b" \n\r\t"):
            raise ValueError("extra data")
        return out[: result.count].reshape(result.dims[: result.rank])

    def print(self, array: np.ndarray, style: int = 1, dtype: str = "") -> str:
        """The text of an array, of the bits of one when a datatype is named."""
        array = np.asarray(array, order="C")
        dims = (ctypes.c_uint64 * 32)(*array.shape)
        room = array.size * 30 + 1000
        out = ctypes.create_string_buffer(room)
        length = self.lib.glue_print(
            NAMES.index(dtype or array.dtype.name), array.ndim, dims,
            array.ctypes.data_as(ctypes.c_void_p), style, out, ctypes.c_size_t(room),
        )
        return out.raw[:length].decode()

    def is_json(self, text: bytes) -> bool:
        """Whether the pull reader takes it all for one value."""
        error = ctypes.create_string_buffer(256)
        return bool(self.lib.glue_json(text, ctypes.c_size_t(len(text)), error) == 0)


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> Tensors:
    """csrc/tensor/, compiled."""
    library = tmp_path_factory.mktemp("tensor") / "tensor.so"
    sources = sorted((ROOT / "csrc" / "tensor").glob("*.c"))
    sources += [ROOT / "csrc" / "base" / name for name in ("text.c", "status.c")]
    sources.append(ROOT / "tests" / "unit" / "tensor" / "glue.c")
    subprocess.run(
        ["cc", "-std=c17", "-D_POSIX_C_SOURCE=200809L", "-O1", "-fPIC", "-shared",
         "-I", ROOT / "csrc", "-o", library, *sources],
        check=True,
    )
    return Tensors(library)


def bits(array: np.ndarray) -> np.ndarray:
    """The same memory as integers, so that NaN and -0.0 are told apart."""
    return array.view(f"u{array.itemsize}")


# ---- texts of numbers ------------------------------------------------------


def any_doubles(rng: np.random.Generator) -> np.ndarray:
    """Bit patterns, each as likely as any other, that are finite."""
    drawn = rng.integers(0, 2**64, COUNT, dtype="u8").view("f8")
    return drawn[np.isfinite(drawn)]


def halfway_texts(rng: np.random.Generator) -> Iterator[str]:
    """Points exactly between two doubles, and just beside them, to the last digit."""
    drawn = rng.integers(0, 0x7FE << 52, 500, dtype="u8").tolist() + list(range(100))
    with localcontext() as context:
        context.prec = 1200
        for pattern in drawn:
            low, high = struct.unpack("2d", struct.pack("2Q", pattern, pattern + 1))
            digits, _, exponent = format((Decimal(low) + Decimal(high)) / 2, "e").partition("e")
            digits += "" if "." in digits else ".0"
            yield f"{digits}e{exponent}"
            yield f"{digits}{'0' * rng.integers(0, 900)}1e{exponent}"
            last = digits.rstrip("0")
            yield f"{last[:-1]}{int(last[-1]) - 1 if last[-1] != '.' else ''}9e{exponent}"


def make_texts(kind: str, rng: np.random.Generator) -> list[str]:
    """Numbers as text, of one kind."""
    singles = np.abs(rng.standard_normal(COUNT)).astype("f4")
    between = singles.astype("f8") + np.nextafter(singles, np.float32(9)).astype("f8")
    halves = np.arange(0x7C00, dtype="u2").view("f2").astype("f8")
    if kind == "bits":
        return [repr(x) for x in any_doubles(rng).tolist()]
    if kind == "digits":
        lengths = rng.integers(0, 40, COUNT)
        drawn = zip(lengths, any_doubles(rng).tolist(), strict=False)
        return [f"{x:.{n}e}" for n, x in drawn]
    if kind == "small":
        return [repr(x) for x in (rng.random(COUNT) * 10.0 ** rng.integers(-6, 7, COUNT)).tolist()]
    if kind == "between floats":
        return [repr(x) for x in (between / 2).tolist()] + [f"{x:.50f}" for x in between / 2]
    if kind == "between halves":
        points = (halves[:-1] + halves[1:]) / 2
        return [f"{x!r}" for x in points.tolist()] + [f"{x:.40f}" for x in points]
    if kind == "between doubles":
        return [text for text in halfway_texts(rng) if "-1" not in text.partition("e")[0]]
    if kind == "random text":
        draw = random.Random(int(rng.integers(2**32)))
        return [
            f"-{draw.randrange(10 ** draw.randrange(1, 30))}.{draw.randrange(10 ** 25)}"
            f"E{draw.randint(-400, 400)}"
            for _ in range(COUNT)
        ]
    if kind == "about 64 bits":
        edges = [2**64 * k for k in range(1, 60)] + [2**n for n in range(50, 140)]
        edges += [10**n for n in range(14, 26)]
        wholes = [str(edge + d) for edge in edges for d in range(-2, 3)]
        return [sign + text + end for text in wholes for sign in ("", "-")
                for end in ("", ".0", ".5", "e0", "e-7", "E+7", ".000000000000000001")]
    assert kind == "by hand"
    return (
        "0.0 -0.0 0 -0 1e400 -1e400 1e-400 0e999999999999999999999 1e0000000000000000000001 "
        "9007199254740993 9007199254740992.5 5e-324 2.4703282292062327e-324 NaN Infinity "
        "2.4703282292062328e-324 1.7976931348623159e308 1.7976931348623157e308 -Infinity "
        "1.7976931348623158e308 65504 65519.99 65520 65536 3.4028235677973366e38 "
        "3.4028235677973365e38 6e-8 2.9802322387695312e-08 2.98023223876953125001e-08 "
        f"{'9' * 308} 0.{'0' * 400}1e401 {'1' + '0' * 500}.0e-500 123456789012345678901234567890"
    ).split()


KINDS = ["bits", "digits", "small", "between floats", "between halves", "between doubles",
         "random text", "about 64 bits", "by hand"]


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("kind", KINDS)
def test_floats_are_what_numpy_makes_of_them(tensors: Tensors, kind: str, seed: int) -> None:
    """Rounded to a double, then once to the datatype; in one piece or in many."""
    texts = make_texts(kind, np.random.default_rng(seed))
    whole = ("[" + ",".join(texts) + "]").encode()
    wanted = np.array([float(text) for text in texts])
    for dtype in FLOATS:
        with np.errstate(over="ignore"):
            cast = wanted.astype(dtype)
        for piece in (0, 1, 77):
            wrong = np.nonzero(bits(cast) != bits(tensors.read(dtype, whole, piece)))[0]
            assert not len(wrong), [texts[i] for i in wrong[:5]]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_bfloat16_is_rounded_once(tensors: Tensors, seed: int) -> None:
    """NumPy has none: nearest by distance, of all that there are."""
    rng = np.random.default_rng(seed)
    every = np.arange(0x7F80, dtype="u4")
    values = (every << 16).view("f4").astype("f8")
    points = np.concatenate([values, (values[:-1] + values[1:]) / 2, rng.random(COUNT)])
    points = np.concatenate([points, np.nextafter(points, 1e39), np.nextafter(points, -1e39)])
    points = np.abs(points)
    above = np.searchsorted(values, points).clip(1, len(values) - 1)
    low, high = points - values[above - 1], values[above] - points
    wanted = np.where((low < high) | ((low == high) & (above % 2 == 1)), above - 1, above)
    text = json.dumps(points.tolist()).encode()
    inside = points < values[-1]
    assert (tensors.read("bfloat16", text)[inside] == wanted[inside]).all()
    assert tensors.read("bfloat16", b"[3.4e38, 1e300, -1e300]").tolist() == [0x7F80, 0x7F80, 0xFF80]


@pytest.mark.parametrize("dtype", NAMES[1:9])
def test_integers_are_exact_or_refused(tensors: Tensors, dtype: str) -> None:
    """All that the datatype can hold, and nothing else."""
    info = np.iinfo(dtype)
    rng = random.Random(dtype)
    values = [rng.randint(info.min, info.max) >> rng.randrange(64) for _ in range(COUNT)]
    values += [info.min, info.max, 0]
    for piece in (0, 1, 50):
        assert tensors.read(dtype, json.dumps(values).encode(), piece).tolist() == values
    for text in (info.min - 1, info.max + 1, 10**30, "1.0", "1e3", "true", "NaN", '"1"', "null"):
        padding = ",1" * 40
        with pytest.raises(ValueError, match=rf"\[1\], byte 3: {dtype.upper()} needs an integer"):
            tensors.read(dtype, f"[1,{text}{padding}]".encode())


def test_booleans(tensors: Tensors) -> None:
    """true, false, and the numbers that say the same."""
    text = "[" + "true, false,1, 0," * 30 + "true]"
    for piece in (0, 1, 30):
        wanted = [True, False, True, False] * 30 + [True]
        assert tensors.read("bool", text.encode(), piece).tolist() == wanted
    for wrong in ("2", "1.0", "truex", "True", "null", "falsy"):
        with pytest.raises(ValueError, match="BOOL needs true, false, 1 or 0"):
            tensors.read("bool", f"[{wrong}]".encode())


# ---- shapes ----------------------------------------------------------------


def random_lists(rng: random.Random, depth: int) -> object:
    """Lists in lists that are often, but not always, of one shape."""
    if depth == 0 or rng.random() < 0.05:
        return rng.randint(0, 9)
    return [random_lists(rng, depth - 1) for _ in range(rng.choice([2, 2, 2, 2, 2, 2, 1, 0]))]


def test_shapes_are_numpys(tensors: Tensors) -> None:
    """What NumPy calls inhomogeneous is refused, and nothing else; the same in pieces."""
    rng = random.Random(5)
    sound = 0
    for _ in range(5000):
        value = random_lists(rng, rng.randrange(4))
        text = json.dumps(value, indent=rng.choice([None, 1])).encode()
        try:
            wanted = np.array(value, dtype="int64")
        except ValueError:
            wanted = None
        answers = set()
        for piece in (0, 1, 3):
            try:
                found = tensors.read("int64", text, piece)
                assert wanted is not None and found.shape == wanted.shape, text
                assert (found == wanted).all(), text
                answers.add("")
            except ValueError as error:
                assert wanted is None, (text, error)
                answers.add(str(error))
        assert len(answers) == 1, answers
        sound += wanted is not None
    assert 1000 < sound < 4500


# ---- printing --------------------------------------------------------------


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_doubles_are_printed_as_json_dumps_does(tensors: Tensors, seed: int) -> None:
    """The same text, to the byte."""
    rng = np.random.default_rng(seed)
    powers = 10.0 ** rng.integers(-8, 20, COUNT)
    for values in (
        rng.integers(0, 2**64, COUNT, dtype="u8").view("f8"),
        rng.integers(0, 2**53, COUNT, dtype="u8").view("f8"),
        2.0 ** np.arange(-1074, 1024),
        rng.standard_normal(COUNT) * powers,
        np.round(rng.random(COUNT) * 1000, 2),
        np.floor(rng.random(COUNT) * powers),
        np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e16, 1e15, 1e-4, 1e-5, 5e-324]),
    ):
        assert tensors.print(values) == json.dumps(values.tolist())
        assert tensors.print(values, 0) == json.dumps(values.tolist(), separators=(",", ":"))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_floats_are_as_short_as_numpys(tensors: Tensors, dtype: str) -> None:
    """The digits of NumPy's own shortest form; every float16 that there is."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 2**32, COUNT, dtype="u4").view("f4")
    values = np.arange(65536, dtype="u2").view("f2") if dtype == "float16" else np.concatenate(
        [drawn, (2.0 ** np.arange(-149, 128)).astype("f4")]
    )
    texts = json.loads(tensors.print(values), parse_float=str, parse_constant=str)
    for value, text in zip(values, texts, strict=True):
        if np.isfinite(value):
            mine = Decimal(text)
            assert mine == Decimal(np.format_float_scientific(value, unique=True, trim="-"))
            assert repr(float(text)) == text


@pytest.mark.parametrize("dtype", NAMES)
def test_what_is_printed_is_read_back(tensors: Tensors, dtype: str) -> None:
    """Every datatype and bit pattern."""
    rng = np.random.default_rng(7)
    if dtype == "bool":
        values = rng.integers(0, 2, (100, 30)).astype("bool")
    else:
        raw = np.dtype("u2" if dtype == "bfloat16" else dtype)
        values = np.frombuffer(rng.bytes(3000 * raw.itemsize), raw).reshape(100, 30)
    if dtype in FLOATS:
        values = np.where(np.isnan(values), 0, values).astype(dtype)
    if dtype == "bfloat16":
        values = np.where(values & 0x7FFF > 0x7F80, 0, values).astype("u2")
    for style in (0, 1):
        found = tensors.read(dtype, tensors.print(values, style, dtype).encode())
        assert found.shape == values.shape
        assert (bits(found) == bits(values)).all()


# ---- JSON as such ----------------------------------------------------------


SEEDS = [
    rb'{"a": [1, 2.5e-3, {"b": null}], "c": "x\u00e9\ud83d\ude00\n", "d": [true, false]}',
    b'[NaN, Infinity, -Infinity, -0, 0.0, 1E+5, "\xc3\xa9\xf0\x9f\x98\x80"]',
    b' {"\\ud800": "\xed\xa0\x80", "": {}, "\\/": [[], [[]]]}\r\n\t',
]


def is_pythons(text: bytes) -> bool:
    """Whether json.loads() takes it; other encodings than UTF-8 are not looked at."""
    try:
        json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError:
        return False
    return True


def test_the_pull_reader_is_as_strict_as_python(tensors: Tensors) -> None:
    """Sound texts with a few bytes changed, which are sound or not."""
    rng = random.Random(3)
    accepted = 0
    for _ in range(40_000 * ROUNDS):
        text = bytearray(rng.choice(SEEDS))
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            at = rng.randrange(len(text))
            replacement = rng.choice([b"", b'"', b",", b"]", b"1", b"0", b".", b"e", b"\\", b"-",
                                      b"\x1f", b"\x80", b"\xe2", b"u", b"{", b":", b" ", b"NaN"])
            text[at:at + rng.choice([0, 1, 1])] = replacement
        assert tensors.is_json(bytes(text)) == is_pythons(bytes(text)), bytes(text)
        accepted += is_pythons(bytes(text))
    assert accepted > 1000


def test_powers_of_ten(tensors: Tensors) -> None:
    """csrc/tensor/powers.def, computed once more with integers of any size."""
    high, low = ctypes.c_uint64(), ctypes.c_uint64()
    for k in range(-342, 325):
        tensors.lib.glue_power(k, ctypes.byref(high), ctypes.byref(low))
        numerator, denominator = (10**k, 1) if k >= 0 else (1, 10**-k)
        shift = 128 - numerator.bit_length() + denominator.bit_length()
        wanted = (numerator << shift) // denominator if shift >= 0 else numerator >> -shift
        wanted >>= wanted.bit_length() - 128
        assert (high.value << 64 | low.value) == wanted, k
