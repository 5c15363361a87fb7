"""csrc/cuda/stage.c for Python: rows to the GPU, and what came of them back."""

import ctypes
from pathlib import Path


class NoRoad(Exception):
    """The GPU cannot be opened, or failed; the text says why."""


class Memory:
    """Floats in the memory of a GPU, as PyTorch and CuPy take them."""

    def __init__(self, address: int, shape: tuple[int, ...]) -> None:
        self.__cuda_array_interface__ = {
            "shape": shape, "typestr": "<f4", "data": (address, False), "version": 3,
            "strides": None,
        }


class Road:
    """One slot of a stage. Thread: the one that opened it."""

    def __init__(self, library: Path, runtimes: list[str], rows: int, row_bytes: int) -> None:
        lib = ctypes.CDLL(str(library))
        pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        for name, result, arguments in (
            ("road_open", pointer, (pointer, size, size)),
            ("road_why", ctypes.c_char_p, (pointer,)),
            ("road_is_open", number, (pointer,)),
            ("road_here", pointer, (pointer,)),
            ("road_there", pointer, (pointer,)),
            ("road_go", number, (pointer, pointer, size, size, pointer)),
            ("road_come", pointer, (pointer, pointer, size, pointer)),
            ("road_close", None, (pointer,)),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self._lib, self.rows, self.row_bytes = lib, rows, row_bytes
        paths = (ctypes.c_char_p * len(runtimes))(*(path.encode() for path in runtimes))
        self._road = lib.road_open(paths, len(runtimes), rows * row_bytes)
        if not lib.road_is_open(self._road):
            raise NoRoad(self._why())
        self.here, self.there = lib.road_here(self._road), lib.road_there(self._road)
        self._addresses = (ctypes.c_char_p * rows)()

    def _why(self) -> str:
        return self._lib.road_why(self._road).decode() if self._road else "no memory"

    def go(self, bodies: list[bytes], stream: int) -> None:
        """Sends a row of each body; the stream waits for them."""
        for i, body in enumerate(bodies):
            self._addresses[i] = body
        if self._lib.road_go(self._road, self._addresses, len(bodies), self.row_bytes, stream):
            raise NoRoad(self._why())

    def come(self, address: int, size: int, stream: int) -> "ctypes.Array[ctypes.c_char]":
        """What the stream has made there, once it is here; it stands until the next go()."""
        at = self._lib.road_come(self._road, address, size, stream)
        if not at:
            raise NoRoad(self._why())
        return (ctypes.c_char * size).from_address(at)

    def close(self) -> None:
        """Lets go of it."""
        self._lib.road_close(self._road)
