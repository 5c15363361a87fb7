"""The differential suite: the same requests to two servers, answers compared.

The reference is Microsoft's ``azureml-inference-server-http``.  What it
answers to every row of the table in ``plays`` stands in ``recorded``; the
suite puts the same rows to the server under test and compares status, body,
headers, log lines and exit codes.  Whatever may differ is listed, with its
reason, in ``differences``.
"""
