"""Python stacks on stderr: when the process crashes, and when the host asks."""

from __future__ import annotations

import faulthandler
import signal

# The descriptor, not sys.stderr: a script may put something else there.
_STDERR = 2

#: What the host sends to see where a thread is; as in csrc/link/child.h.
DUMP_SIGNAL = signal.SIGRTMAX - 3


def show(all_threads: bool) -> None:
    """Has a crash, or the host's signal, write where Python code is.

    Of all threads, or only of the one that the signal reaches. It is for the
    main interpreter; threads of other interpreters are shown all the same.
    """
    try:
        faulthandler.enable(_STDERR)
        faulthandler.register(DUMP_SIGNAL, _STDERR, all_threads, chain=False)
    except (OSError, RuntimeError, ValueError):
        pass  # without a stderr there is nobody to tell
