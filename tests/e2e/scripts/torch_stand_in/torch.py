"""What scorehost uses of PyTorch, over a GPU that is not there (tests/cudart).

A tensor is a DeviceTensor with what matters of autograd: whoever writes what has a gradient to a
part of a tensor makes all of it require one, and so every later part of it.
"""

import types

float32 = "torch.float32"


class Tensor:
    def __init__(self, elements, base=None):
        self.elements = elements
        self.base = base
        self.requires_grad = base is not None and base.requires_grad
        self.dtype = float32
        self.shape = elements.shape
        self.is_cuda = True

    def __len__(self):
        return len(self.elements)

    def __getitem__(self, rows):
        return Tensor(self.elements[rows], self)

    def write_what_has_a_gradient(self):
        self.requires_grad = self.base.requires_grad = True

    def get_device(self):
        return 0

    def detach(self):
        return Tensor(self.elements)

    def contiguous(self):
        assert not self.requires_grad
        return self


def from_dlpack(elements):
    assert elements.__dlpack_device__() == (2, 0)
    return Tensor(elements)


def no_capsule_with_a_gradient(tensor):
    assert not tensor.requires_grad
    return tensor.elements.__dlpack__()


utils = types.SimpleNamespace(dlpack=types.SimpleNamespace(to_dlpack=no_capsule_with_a_gradient))
cuda = types.SimpleNamespace(
    is_available=lambda: True,
    current_device=lambda: 0,
    set_device=lambda device: None,
    current_stream=lambda device: types.SimpleNamespace(cuda_stream=0),
)
