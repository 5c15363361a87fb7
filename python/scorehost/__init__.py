"""scorehost serves Azure-ML scoring scripts (init and run) over HTTP.

Importing the package costs nothing: the console script imports it where a
client waits for the first answer.
"""

__version__ = "0.1.0"

#: The version of the server whose contract is kept. It stands in the banner,
#: in `x-ms-server-version` and in `azureml_inference_server_http.__version__`.
COMPAT_VERSION = "1.5.1"
