"""Arrays in the memory of a GPU, as Python sees them: _core.Gpu, DeviceTensor, frameworks.

The GPU is tests/cudart/, the frameworks are stand-ins with what is used of the real ones.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cudart
import numpy as np
import pytest
from fakes import load, logged, post

from scorehost import _core, errors, frameworks
from scorehost.decorators import DATATYPES

NUMBERS = [name for name in DATATYPES if name != "BYTES"]


def elements(datatype: str, count: int = 6) -> np.ndarray[Any, Any]:
    dtype = "uint16" if datatype == "BF16" else DATATYPES[datatype]
    return (np.arange(count) % 2 if datatype == "BOOL" else np.arange(count)).astype(dtype)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return cudart.build(tmp_path_factory.mktemp("cudart"))


@pytest.fixture
def gpu(library: str) -> _core.Gpu:
    return _core.open_gpu(("libno-such-cuda.so", library), 0)


# What the C side makes


def test_the_gpu_that_was_opened(gpu: _core.Gpu) -> None:
    assert (gpu.device, gpu.version) == (0, 12040)
    with pytest.raises(TypeError):
        type(gpu)()


def test_why_there_is_none(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"the CUDA runtime \(libcudart\) is not installed"):
        _core.open_gpu(("libno-such-cuda.so",), 0)
    with pytest.raises(RuntimeError, match="there is no GPU 1, the last is GPU 0"):
        _core.open_gpu((library,), 1)
    monkeypatch.setenv("FAKE_CUDART_DEVICES", "0")
    with pytest.raises(RuntimeError, match="no CUDA-capable device is detected"):
        _core.open_gpu((library,), 0)
    with pytest.raises(ValueError, match="too many paths"):
        _core.open_gpu(("x",) * 33, 0)


@pytest.mark.parametrize("datatype", NUMBERS)
def test_elements_go_there_and_come_back(gpu: _core.Gpu, datatype: str) -> None:
    array = elements(datatype).reshape(3, 2)
    tensor = gpu.send(array, datatype, array.shape)
    assert (tensor.datatype, tensor.shape, len(tensor)) == (datatype, (3, 2), 3)
    assert tensor.__dlpack_device__() == (2, 0)
    assert gpu.fetch(tensor.__dlpack__()) == array.tobytes()
    assert gpu.fetch(tensor.__dlpack__(max_version=(1, 1), stream=1)) == array.tobytes()
    assert gpu.fetch(tensor[1:3].__dlpack__(stream=-1)) == array[1:3].tobytes()
    assert tensor[1:3].shape == (2, 2) and tensor[5:].shape == (0, 2)


def test_nothing_and_a_single_value(gpu: _core.Gpu) -> None:
    nothing = gpu.send(b"", "FP32", (0, 7))
    assert nothing.shape == (0, 7) and gpu.fetch(nothing.__dlpack__()) == b""
    single = gpu.send(elements("FP64", 1), "FP64", ())
    assert single.shape == () and gpu.fetch(single.__dlpack__()) == bytes(8)
    with pytest.raises(TypeError, match="no length"):
        len(single)


def test_what_cannot_be_sent(gpu: _core.Gpu) -> None:
    for data, datatype, shape in (
        (bytes(8), "FP32", (3,)), (bytes(8), "FP33", (2,)), (bytes(8), "BYTES", (2,)),
        (bytes(8), "FP32", (-2,)),
    ):
        with pytest.raises((ValueError, OverflowError)):
            gpu.send(data, datatype, shape)
    with pytest.raises(TypeError):
        gpu.fetch(object())


def test_what_a_device_tensor_cannot_do(gpu: _core.Gpu) -> None:
    tensor = gpu.send(elements("FP32"), "FP32", (6,))
    with pytest.raises(TypeError, match="slices"):
        tensor[0]  # type: ignore[index]
    with pytest.raises(ValueError, match="step 1"):
        tensor[::2]
    with pytest.raises(BufferError, match="not copied"):
        tensor.__dlpack__(copy=True)
    with pytest.raises(TypeError):
        memoryview(tensor)  # type: ignore[arg-type]


def test_what_numba_and_cupy_are_told(gpu: _core.Gpu) -> None:
    for datatype in NUMBERS:
        tensor = gpu.send(elements(datatype), datatype, (3, 2))
        if datatype == "BF16":
            with pytest.raises(AttributeError, match="use DLPack"):
                tensor.__cuda_array_interface__
            assert not hasattr(tensor, "__cuda_array_interface__")
            continue
        told = tensor.__cuda_array_interface__
        assert told["typestr"] == np.dtype(DATATYPES[datatype]).str
        assert (told["shape"], told["strides"], told["version"]) == ((3, 2), None, 3)
        assert told["data"][0] > 0 and told["data"][1] is False and told["stream"] == 1


def test_memory_is_there_as_long_as_anybody_has_it(library: str) -> None:
    gpu = _core.open_gpu((library,), 0)
    array = elements("INT32")
    capsule = gpu.send(array, "INT32", (6,))[2:].__dlpack__()
    del gpu
    gc.collect()
    again = _core.open_gpu((library,), 0)
    assert again.fetch(capsule) == array[2:].tobytes()


# Frameworks


class FakeTensor:
    """What is used of torch.Tensor."""

    def __init__(self, array: Any, where: str = "cpu", gpu: Any = None) -> None:
        self.array, self.where, self.gpu = array, where, gpu
        self.requires_grad = True

    @property
    def is_cuda(self) -> bool:
        return self.where.startswith("cuda")

    def get_device(self) -> int:
        return int(self.where.partition(":")[2] or 0) if self.is_cuda else -1

    @property
    def dtype(self) -> Any:
        return FakeTorch.Dtype(f"torch.{self.array.dtype.name}")

    @property
    def shape(self) -> Any:
        return self.array.shape

    def detach(self) -> FakeTensor:
        made = FakeTensor(self.array, self.where, self.gpu)
        made.requires_grad = False
        return made

    def to(self, wanted: Any) -> FakeTensor:
        if not isinstance(wanted, FakeTorch.Dtype):
            return FakeTensor(self.array, wanted)
        made = FakeTensor(self.array.astype(wanted.partition(".")[2]), self.where, self.gpu)
        made.requires_grad = self.requires_grad
        return made

    def contiguous(self) -> FakeTensor:
        return self

    def cpu(self) -> FakeTensor:
        return FakeTensor(self.array)

    def numpy(self) -> Any:
        assert self.where == "cpu"
        return self.array


def to_dlpack(tensor: FakeTensor) -> tuple[str, Any, bool]:
    assert tensor.is_cuda
    return "a capsule", str(tensor.dtype), tensor.requires_grad


class FakeTorch(types.ModuleType):
    """What is used of torch."""

    class Dtype(str):
        __slots__ = ()

    Tensor = FakeTensor
    float32 = Dtype("torch.float32")
    float64 = Dtype("torch.float64")
    int64 = Dtype("torch.int64")
    bfloat16 = Dtype("torch.bfloat16")

    def __init__(self, has_gpu: bool, device: int = 0) -> None:
        super().__init__("torch")
        self.used: list[int] = []
        self.utils = types.SimpleNamespace(dlpack=types.SimpleNamespace(to_dlpack=to_dlpack))
        self.cuda = types.SimpleNamespace(
            is_available=lambda: has_gpu,
            current_device=lambda: device,
            set_device=self.used.append,
            current_stream=lambda device: types.SimpleNamespace(cuda_stream=55 + device),
        )

    @staticmethod
    def from_numpy(array: Any) -> FakeTensor:
        assert array.flags.writeable  # the real one warns
        return FakeTensor(array)

    @staticmethod
    def from_dlpack(tensor: Any) -> FakeTensor:
        assert tensor.__dlpack_device__() == (2, 0)
        return FakeTensor(tensor, "cuda:0")


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTorch]:
    made = FakeTorch(has_gpu=True)
    monkeypatch.setitem(sys.modules, "torch", made)
    yield made


SCRIPT = """
    import scorehost
    seen = []
    @scorehost.tensor(inputs={"x": ("FP32", [-1, 2])}, outputs={"y": ("FP64", [-1, 2])}, ARGUMENTS)
    def run(x):
        seen.append(x)
        return x
"""


def script(root: Path, arguments: str) -> Any:
    return load(root, SCRIPT.replace("ARGUMENTS", arguments))


def test_tensors_of_torch_in_main_memory(tmp_path: Path, torch: FakeTorch) -> None:
    scoring = script(tmp_path, 'framework="torch"')
    scoring.open_device()
    assert scoring.gpu is None and scoring.writable
    status, _, body, *_ = scoring.invoke(post(b'{"x": [[1, 2]]}'))
    assert (status, body) == (200, "[[1.0, 2.0]]")
    tensor = FakeTensor(np.array([[1, 2]], "float32"))
    ((name, datatype, shape, found),) = scoring.outputs(tensor)
    assert (name, datatype, shape, found.dtype) == ("y", "FP64", (1, 2), np.float64)


def test_tensors_of_torch_on_the_gpu(
    tmp_path: Path, torch: FakeTorch, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    scoring = script(tmp_path, 'device="cuda"')  # torch has been imported
    scoring.open_device()
    assert scoring.gpu is not None and scoring.gpu.device == 0 and scoring.stream() == 55
    assert torch.used == [0]
    given = scoring.gpu.send(elements("FP32"), "FP32", (3, 2))
    made = scoring.array(given)
    assert isinstance(made, FakeTensor) and made.array is given
    result = FakeTensor(elements("FP32").reshape(3, 2), "cuda:0")
    capsule = ("a capsule", "torch.float64", False)
    assert scoring.outputs(result, 77) == [("y", "FP64", (3, 2), capsule)]
    for copied in (scoring.outputs(result), scoring.outputs(result.to("cpu"), 77)):
        ((*_, found),) = copied  # no stream, or in main memory
        assert found.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(errors.WrongOutput, match="an array on GPU 1, and its inputs are on GPU 0"):
        scoring.outputs(result.to("cuda:1"), 77)


def test_the_stream_of_torch(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the short way where there is one, on the GPU that was opened, whatever run() has made
    the current one."""
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    monkeypatch.setenv("FAKE_CUDART_DEVICES", "2")
    made = FakeTorch(has_gpu=True, device=1)
    monkeypatch.setitem(sys.modules, "torch", made)
    scoring = script(tmp_path, 'device="cuda"')
    scoring.open_device()
    assert made.used == [1] and scoring.stream() == 56
    made._C = types.SimpleNamespace(_cuda_getCurrentRawStream=lambda device: 90 + device)
    scoring = script(tmp_path, 'device="cuda"')
    scoring.open_device()
    assert scoring.stream() == 91


class FakeArray:
    """What is used of cupy.ndarray."""

    def __init__(self, array: Any, device: int) -> None:
        self.array, self.dtype, self.shape = array, array.dtype, array.shape
        self.device = types.SimpleNamespace(id=device)

    def astype(self, dtype: str, copy: bool) -> FakeArray:
        assert not copy
        return FakeArray(self.array.astype(dtype), self.device.id)

    def __dlpack__(self, stream: int | None = None) -> Any:
        assert stream == -1  # that of run(), which is waited for
        return "a capsule", str(self.dtype)


def test_arrays_of_cupy(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    made = types.ModuleType("cupy")
    made.ndarray = FakeArray  # type: ignore[attr-defined]
    made.ascontiguousarray = lambda value: value  # type: ignore[attr-defined]
    made.asnumpy = lambda value: value.array  # type: ignore[attr-defined]
    made.from_dlpack = lambda tensor: ("an array of", tensor)  # type: ignore[attr-defined]
    made.cuda = types.SimpleNamespace(  # type: ignore[attr-defined]
        runtime=types.SimpleNamespace(getDeviceCount=lambda: 1, getDevice=lambda: 0),
        Device=lambda number: types.SimpleNamespace(use=lambda: used.append(number)),
        get_current_stream=lambda: types.SimpleNamespace(ptr=44),
    )
    monkeypatch.setitem(sys.modules, "cupy", made)
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    scoring = script(tmp_path, 'device="cuda", framework="cupy"')
    scoring.open_device()
    assert used == [0] and scoring.stream() == 44
    given = scoring.gpu.send(elements("FP32"), "FP32", (3, 2))
    assert scoring.array(given) == ("an array of", given)
    result = FakeArray(elements("FP32").reshape(3, 2), 0)
    assert scoring.outputs(result, 77) == [("y", "FP64", (3, 2), ("a capsule", "float64"))]
    ((*_, found),) = scoring.outputs(result)
    assert found.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(errors.WrongOutput, match="on GPU 3, and its inputs are on GPU 0"):
        scoring.outputs(FakeArray(result.array, 3), 77)


@pytest.mark.parametrize(
    "arguments, missing",
    [('device="cuda"', "torch.cuda.is_available() is False"),
     ('device="cuda:9", framework="torch"', "torch.cuda.is_available() is False")],
)
def test_torch_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(has_gpu=False))
    scoring = script(tmp_path, arguments)
    with logged() as lines:
        scoring.open_device()
    assert lines == [
        f"W There is no GPU to be used ({missing}): run() gets arrays in main memory."
    ]
    assert scoring.gpu is None
    assert scoring.invoke(post(b'{"x": [[1, 2]]}'))[:1] == (200,)


def test_a_device_that_is_not_there(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    scoring = script(tmp_path, 'device="cuda:3"')
    with logged() as lines:
        scoring.open_device()
    assert len(lines) == 1 and "there is no GPU 3, the last is GPU 0" in lines[0]


def test_no_framework_gets_device_tensors(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where C has no part in it: a GET, or `scorehost check`."""
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    scoring = script(tmp_path, 'device="cuda"')
    scoring.open_device()
    status, _, body, *_ = scoring.invoke(post(b'{"x": [[1, 2]]}'))
    assert status == 500  # it is FP32, and nobody here converts it
    tensor = scoring.gpu.send(elements("FP64"), "FP64", (3, 2))
    assert type(scoring.array(tensor)) is _core.DeviceTensor
    ((*_, found),) = scoring.outputs(tensor)
    assert found.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(errors.WrongOutput, match="float32 on the GPU, and float64 is declared"):
        scoring.outputs(scoring.gpu.send(elements("FP32"), "FP32", (3, 2)))


def test_outputs_that_are_wrong(tmp_path: Path, torch: FakeTorch) -> None:
    scoring = script(tmp_path, 'framework="torch"')
    with pytest.raises(errors.WrongOutput, match=r"shape \[2\], and \[-1,2\] is declared"):
        scoring.outputs(FakeTensor(np.zeros(2)))
    with pytest.raises(errors.WrongOutput, match="complex128"):
        scoring.outputs(FakeTensor(np.zeros((1, 2), "complex128")))


def test_a_framework_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(errors.UserScriptError, match='framework="cupy".*cannot be imported'):
        script(tmp_path, 'framework="cupy"')


@pytest.mark.parametrize(
    "arguments, text",
    [('device="gpu"', 'device is "cpu", "cuda" or "cuda:" and a number'),
     ("device=1", "device is"), ('device="cuda:x"', "device is"),
     ('framework="jax"', 'framework is "torch" or "cupy"')],
)
def test_what_the_decorator_refuses(tmp_path: Path, arguments: str, text: str) -> None:
    with pytest.raises(errors.UserScriptError) as caught:
        script(tmp_path, arguments)
    assert text in str(caught.value.__cause__)


def test_which_runtimes_there_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.delenv("SCOREHOST_CUDART", raising=False)
    packaged = tmp_path / "nvidia" / "cuda_runtime" / "lib"
    packaged.mkdir(parents=True)
    (packaged / "libcudart.so.12").touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = frameworks.runtimes()
    assert found.index("libcudart.so.12") < found.index(str(packaged / "libcudart.so.12"))
    assert len(found) <= 32 and found[-1].startswith("/")
    monkeypatch.setenv("SCOREHOST_CUDART", library)
    assert frameworks.runtimes() == (library,)
