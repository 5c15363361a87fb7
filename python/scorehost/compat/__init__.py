"""The modules that scoring scripts import, outside the host too.

``import scorehost.compat`` makes ``azureml_inference_server_http.api`` and
``azureml.contrib.services`` importable, so that the unit tests of a score.py
run where no server is installed. Inside a worker this is done already.
"""

from scorehost import hook

hook.install()
