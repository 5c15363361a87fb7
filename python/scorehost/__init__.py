"""scorehost serves Azure-ML scoring scripts (init and run) over HTTP.

Importing the package costs nothing: the console script imports it where a
client waits for the first answer. What a script may ask for is imported when
it is asked for.
"""

__version__ = "0.1.0"

#: The version of the server whose contract is kept. It stands in the banner,
#: in `x-ms-server-version` and in `azureml_inference_server_http.__version__`.
COMPAT_VERSION = "1.5.1"

__all__ = ["COMPAT_VERSION", "Cancelled", "batch", "cancelled", "tensor", "time_left"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scorehost._core import cancelled
    from scorehost._core import time_left
    from scorehost.decorators import batch, tensor
    from scorehost.errors import Cancelled
else:

    def __getattr__(name):
        """Imports one of the names for scripts."""
        if name in ("cancelled", "time_left"):
            from scorehost import _core as home
        elif name in ("batch", "tensor"):
            from scorehost import decorators as home
        elif name == "Cancelled":
            from scorehost import errors as home
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(home, name)
        return value
