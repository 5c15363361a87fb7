"""Arrays of other frameworks than NumPy, and where a GPU is.

Imported for scripts that say ``device`` or ``framework``. A framework is never
imported for its own sake: it is the script's, which has done so before.
"""

from __future__ import annotations

import glob
import os
import sys
from typing import Any, Protocol

from scorehost import errors
from scorehost.decorators import DATATYPES, FRAMEWORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorehost._core import DeviceTensor, Gpu

#: Names one CUDA runtime, in place of those that are found.
RUNTIME_VARIABLE = "SCOREHOST_CUDART"

_SONAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
_USUAL = "/usr/local/cuda/lib64/libcudart.so"
_PATHS_MOST = 32  # PATHS_MOST in csrc/pybridge/gpu_object.c

#: DLPack's numbers for memory that a GPU has, or shares.
_ON_GPU = (2, 13)


class Framework(Protocol):
    """Whose arrays run() takes."""

    #: As people call what it gets.
    arrays: str

    def missing(self) -> str | None:
        """Says why it can use no GPU, or returns None."""

    def device(self) -> int:
        """The number of the GPU that it uses if nobody names one."""

    def use(self, device: int) -> None:
        """Has it work on that GPU in the calling thread, where nobody names one."""

    def stream(self) -> int:
        """The CUDA stream that it works in now."""

    def of_device(self, tensor: DeviceTensor) -> Any:
        """An array over elements in the memory of a GPU."""

    def of_host(self, array: Any) -> Any:
        """An array over those of a NumPy array."""

    def of_bits(self, array: Any) -> Any:
        """The same for BF16, which NumPy has only the bits of."""

    def sent(self, array: Any, datatype: str, gpu: Gpu) -> Any:
        """What of_host() or of_bits() made, copied to the memory of a GPU."""

    def dtype(self, value: Any) -> str | None:
        """NumPy's name for the elements of a value; None: it is no array of the framework's."""

    def cast(self, value: Any, dtype: str) -> Any:
        """The array with other elements, contiguous."""

    def capsule(self, value: Any, stream: int) -> Any:
        """A capsule for work in a stream that waits for the one of stream(), as soon as that
        has all that there is to do; None for what is in main memory.
        """

    def host(self, value: Any, gpu: Gpu | None) -> Any:
        """A NumPy array of the elements; of BF16 the bits."""


class Torch:
    """PyTorch."""

    arrays = "torch tensors"

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._device = 0
        #: What torch.cuda.current_stream() makes an object of, ten times as long.
        self._raw_stream = getattr(
            getattr(torch, "_C", None), "_cuda_getCurrentRawStream", None
        )
        self._to_dlpack = torch.utils.dlpack.to_dlpack
        self._names: dict[Any, str] = {}

    def missing(self) -> str | None:
        """Says why PyTorch can use no GPU."""
        if self._torch.cuda.is_available():
            return None
        return "torch.cuda.is_available() is False"

    def device(self) -> int:
        """PyTorch's current device."""
        return int(self._torch.cuda.current_device())

    def use(self, device: int) -> None:
        """Makes it PyTorch's current device."""
        self._torch.cuda.set_device(device)
        self._device = device

    def stream(self) -> int:
        """PyTorch's current stream on that device."""
        if self._raw_stream is not None:
            return int(self._raw_stream(self._device))
        return int(self._torch.cuda.current_stream(self._device).cuda_stream)

    def of_device(self, tensor: DeviceTensor) -> Any:
        """A tensor on the GPU."""
        return self._torch.from_dlpack(tensor)

    def of_host(self, array: Any) -> Any:
        """A tensor in main memory, which may be written to: there are no others."""
        return self._torch.from_numpy(array)

    def of_bits(self, array: Any) -> Any:
        """The same of BF16."""
        return self._torch.from_numpy(array.view("int16")).view(self._torch.bfloat16)

    def sent(self, array: Any, datatype: str, gpu: Gpu) -> Any:
        """A tensor moved to the GPU."""
        return array.to(f"cuda:{gpu.device}")

    def dtype(self, value: Any) -> str | None:
        """The name of a tensor's dtype, which is NumPy's behind a dot."""
        if not isinstance(value, self._torch.Tensor):
            return None
        name = self._names.get(value.dtype)
        if name is None:
            name = self._names[value.dtype] = str(value.dtype).partition(".")[2]
        return name

    def cast(self, value: Any, dtype: str) -> Any:
        """The tensor without its graph, with other elements."""
        if value.requires_grad:
            value = value.detach()
        if self._names.get(value.dtype) != dtype:
            value = value.to(getattr(self._torch, dtype))
        return value.contiguous()

    def capsule(self, value: Any, stream: int) -> Any:
        """The tensor's, by the way that says nothing to any stream: it is in stream() as it is."""
        if not value.is_cuda:
            return None
        _be_on(self._device, value.get_device())
        return self._to_dlpack(value)

    def host(self, value: Any, gpu: Gpu | None) -> Any:
        """The tensor's elements in main memory."""
        value = value.detach().cpu()
        if value.dtype is self._torch.bfloat16:
            return value.view(self._torch.int16).numpy().view("uint16")
        return value.numpy()


class Cupy:
    """CuPy, which has no arrays in main memory: NumPy's take their place."""

    arrays = "CuPy arrays"

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._device = 0

    def missing(self) -> str | None:
        """Says why CuPy can use no GPU."""
        try:
            if self._cupy.cuda.runtime.getDeviceCount() > 0:
                return None
        except Exception as exc:  # CuPy's own, whose classes move
            return str(exc)
        return "CuPy finds no GPU"

    def device(self) -> int:
        """CuPy's current device."""
        return int(self._cupy.cuda.runtime.getDevice())

    def use(self, device: int) -> None:
        """Makes it CuPy's current device."""
        self._cupy.cuda.Device(device).use()
        self._device = device

    def stream(self) -> int:
        """CuPy's current stream."""
        return int(self._cupy.cuda.get_current_stream().ptr)

    def of_device(self, tensor: DeviceTensor) -> Any:
        """An array on the GPU."""
        return self._cupy.from_dlpack(tensor)

    def of_host(self, array: Any) -> Any:
        """NumPy's array."""
        return array

    def of_bits(self, array: Any) -> Any:
        """NumPy's array."""
        return array

    def sent(self, array: Any, datatype: str, gpu: Gpu) -> Any:
        """An array on the GPU."""
        with self._cupy.cuda.Device(gpu.device):
            return self._cupy.asarray(array)

    def dtype(self, value: Any) -> str | None:
        """The name of an array's dtype."""
        return str(value.dtype.name) if isinstance(value, self._cupy.ndarray) else None

    def cast(self, value: Any, dtype: str) -> Any:
        """The array with other elements."""
        return self._cupy.ascontiguousarray(value.astype(dtype, copy=False))

    def capsule(self, value: Any, stream: int) -> Any:
        """The array's, as it is: there are none in main memory."""
        _be_on(self._device, int(value.device.id))
        return value.__dlpack__(stream=-1)

    def host(self, value: Any, gpu: Gpu | None) -> Any:
        """The array's elements in main memory."""
        return self._cupy.asnumpy(value)


class Plain:
    """No framework that is known: run() gets a DeviceTensor, and makes of it what it likes."""

    arrays = "DeviceTensors"

    def missing(self) -> str | None:
        """Nothing is missing here."""
        return None

    def device(self) -> int:
        """The first GPU."""
        return 0

    def use(self, device: int) -> None:
        """Nothing works by itself here."""

    def stream(self) -> int:
        """CUDA's legacy stream."""
        return 0

    def of_device(self, tensor: DeviceTensor) -> Any:
        """As it is."""
        return tensor

    def of_host(self, array: Any) -> Any:
        """NumPy's array."""
        return array

    def of_bits(self, array: Any) -> Any:
        """NumPy's array."""
        return array

    def sent(self, array: Any, datatype: str, gpu: Gpu) -> Any:
        """A DeviceTensor of the elements."""
        return gpu.send(array, datatype, array.shape)

    def dtype(self, value: Any) -> str | None:
        """What an array on a GPU says of itself."""
        if not is_on_gpu(value):
            return None
        datatype = getattr(value, "datatype", None)  # of a DeviceTensor
        return DATATYPES[datatype] if datatype in DATATYPES else str(value.dtype)

    def cast(self, value: Any, dtype: str) -> Any:
        """It must be right already."""
        found = self.dtype(value)
        if found != dtype:
            raise errors.WrongOutput(
                f"run() returned an array of {found} on the GPU, and {dtype} is declared: "
                "convert it"
            )
        return value

    def capsule(self, value: Any, stream: int) -> Any:
        """What it makes: whose stream it is in only its maker knows."""
        return value.__dlpack__(stream=stream) if is_on_gpu(value) else None

    def host(self, value: Any, gpu: Gpu | None) -> Any:
        """The array's elements in main memory."""
        import numpy

        dtype = self.dtype(value)
        if dtype is None or gpu is None:
            return numpy.asarray(value)
        bits = numpy.frombuffer(
            gpu.fetch(value.__dlpack__()), "uint16" if dtype == "bfloat16" else dtype
        )
        return bits.reshape(tuple(value.shape))


def find(name: str | None) -> Framework:
    """The framework that a script named, or else the one that it has imported.

    UserScriptError when one that it named cannot be imported.
    """
    kinds: dict[str, type[Torch] | type[Cupy]] = {"torch": Torch, "cupy": Cupy}
    if name is None:
        name = next((known for known in FRAMEWORKS if known in sys.modules), None)
        if name is None:
            return Plain()
    try:
        return kinds[name]()
    except ImportError as exc:
        raise errors.UserScriptError(
            f'@scorehost.tensor(framework="{name}") has run() called with its arrays, and {name} '
            f"cannot be imported ({exc}): install it where the server runs"
        ) from exc


def _be_on(wanted: int, found: int) -> None:
    if found != wanted:
        raise errors.WrongOutput(
            f"run() returned an array on GPU {found}, and its inputs are on GPU {wanted}: move it"
        )


def is_on_gpu(value: Any) -> bool:
    """Tells whether an array is in the memory of a GPU."""
    where = getattr(value, "__dlpack_device__", None)
    if where is None:
        return False
    return int(where()[0]) in _ON_GPU


def runtimes() -> tuple[str, ...]:
    """The CUDA runtimes that there may be, the best first.

    One that this process has loaded comes first: it is the framework's own.
    """
    named = os.environ.get(RUNTIME_VARIABLE)
    if named:
        return (named,)
    found = list(dict.fromkeys((*_loaded(), *_SONAMES, *_in_packages(), _USUAL)))
    return tuple(found[:_PATHS_MOST])


def _loaded() -> Iterator[str]:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")
                if os.path.basename(path[2]).startswith("libcudart.so"):
                    yield path[1] + path[2]
    except OSError:
        return  # no /proc: the names will do


def _in_packages() -> Iterator[str]:
    """Those that pip has installed (nvidia-cuda-runtime and its kin)."""
    for folder in sys.path:
        yield from sorted(
            glob.glob(os.path.join(folder or ".", "nvidia", "*", "lib", "libcudart.so.*")),
            reverse=True,
        )
