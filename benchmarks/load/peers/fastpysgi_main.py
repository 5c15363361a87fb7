"""FastPySGI with its own defaults, one process, on 127.0.0.1:PORT."""

import sys

import fastpysgi
from wsgi_raw import app

if __name__ == "__main__":
    fastpysgi.run(wsgi_app=app, host="127.0.0.1", port=int(sys.argv[1]))
