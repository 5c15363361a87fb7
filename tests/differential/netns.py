"""A network of our own, so that nothing the suite starts is seen outside.

The reference listens on all addresses and cannot be told otherwise.  Where
the rights allow it, the collecting process moves to a new network namespace
with nothing in it but loopback; elsewhere it stays where it is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x1 | 0x40


def enter() -> bool:
    """Move this process to a network of its own; tell whether that worked.

    Must be called before the process has a second thread.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        failed = libc.unshare(_CLONE_NEWNET)
    except AttributeError:
        return False
    if failed:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14s", b"lo", _IFF_UP_RUNNING, b"")
        fcntl.ioctl(sock, _SIOCSIFFLAGS, request)
    return True
