"""The names of Microsoft's inference server that scoring scripts use."""

from scorehost import COMPAT_VERSION

__version__ = COMPAT_VERSION

#: Asked for by Microsoft's base images.
_HAS_DEBUGPY_SUPPORT = True
