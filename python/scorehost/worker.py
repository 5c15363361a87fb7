"""A worker process: `python -m scorehost.worker FD`.

The host starts it with one descriptor, over which everything else comes.
"""

import sys

# The interpreter put the current directory first (-m; an empty text for -c),
# where a user's `json.py` would stand before the library's. Scripts get a path
# of their own later.
if sys.path[0] == "" or (__name__ == "__main__" and not getattr(sys.flags, "safe_path", False)):
    del sys.path[0]


def main() -> int:
    """Serves until the host says stop; returns the exit code."""
    import json

    from scorehost import _core, boot, logs

    link = _core.attach(int(sys.argv[1]))
    try:
        code = link.serve(boot.start(json.loads(link.boot), worker=True))
    finally:
        logs.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
