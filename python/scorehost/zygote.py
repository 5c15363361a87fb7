"""The process that workers are forked from: `python -m scorehost.zygote FD`.

With WORKER_PRELOAD the host starts one of these in place of workers. It loads
the script, calls init(), and forks whenever the host asks; the workers share
its memory until they write to it. What is said over the socket stands in
csrc/worker/zygote_wire.h.

It stays as still as it can: one thread, nothing allocated while it waits, and
no collection (`gc.freeze`) that would write into every object of the model
and so copy its pages into each worker. Counting references still writes to
those objects that a worker uses.

What init() registers with `atexit`, and temporary folders that it makes, are
this process's: a worker ends without touching them, or the first one to be
replaced would delete them under all others.
"""

import sys

# As in scorehost.worker.
if sys.path[0] == "" or (__name__ == "__main__" and not getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

import os  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from scorehost.script import Scoring

FORK, READY, FORKED, ENDED = range(1, 5)
BOOT_BYTES = 128 * 1024

#: word, number, pid, exit code, signal, error
MESSAGE = struct.Struct("=IIiiii")


class Zygote:
    """A loaded script, and the workers forked from it."""

    def __init__(self, control: socket.socket, scoring: "Scoring") -> None:
        import select

        self._control = control
        self._scoring = scoring
        self._pid = os.getpid()
        self._workers: dict[int, tuple[int, int]] = {}  # by pidfd: number and pid
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        # A script may have told the kernel, or a handler, to take ended
        # children away; then nobody could say how a worker ended.
        self._sigchld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The host says when it is over. Who tells all processes at once, as systemd
        # does, must not end the workers by way of us: they have requests in hand.
        self._sigterm = signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def run(self) -> None:
        """Forks as asked until the host closes the socket."""
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._workers:
                    self._reap(fd)
                elif not self._hear():
                    return

    def _tell(self, word: int, *rest: int, fds: tuple[int, ...] = ()) -> None:
        message = MESSAGE.pack(word, *rest, *(0,) * (5 - len(rest)))
        try:
            socket.send_fds(self._control, [message], fds)
        except OSError:
            pass  # the host is gone, and so are we in a moment

    def _hear(self) -> bool:
        data, fds, _, _ = socket.recv_fds(
            self._control, MESSAGE.size, 1, socket.MSG_CMSG_CLOEXEC
        )
        if len(data) < MESSAGE.size:
            return False
        word, number, *_ = MESSAGE.unpack(data)
        if word == FORK and fds:
            self._fork(number, fds[0])
        for fd in fds:
            os.close(fd)
        return True

    def _fork(self, number: int, link: int) -> None:
        # What is sent to the worker before it can heed it must wait: as long as
        # it is ignored it would be lost.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._tell(FORKED, number, 0, 0, 0, error.errno or 1)
            return
        if pid == 0:
            end_as(lambda: self._be_worker(link, mask))
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        join_group(pid)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._tell(FORKED, number, 0, 0, 0, error.errno or 1)
            return
        self._workers[pidfd] = (number, pid)
        self._poll.register(pidfd)
        self._tell(FORKED, number, pid, fds=(pidfd,))

    def _reap(self, pidfd: int) -> None:
        number, pid = self._workers.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # What the script left running must not hold its ports and files.
        # Until the worker is waited for, the number of its group is its own.
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            pass
        os.waitpid(pid, 0)
        assert ended is not None
        exited = ended.si_code == os.CLD_EXITED
        code, number_of_signal = (ended.si_status, 0) if exited else (0, ended.si_status)
        self._tell(ENDED, number, pid, code, number_of_signal)

    def _be_worker(self, link_fd: int, mask: "Iterable[int]") -> int:
        """What a worker does, from the fork to its end; returns its exit code."""
        from scorehost import _core, boot

        join_group(0)
        self._control.close()
        for pidfd in self._workers:
            os.close(pidfd)
        if self._sigchld is not None:
            signal.signal(signal.SIGCHLD, self._sigchld)
        if self._sigterm is not None:
            signal.signal(signal.SIGTERM, self._sigterm)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        leave_exit_handlers()
        reseed()
        try:
            link = _core.attach(link_fd, self._pid)
        except ConnectionError:
            return 1  # it ended before we could ask to end with it
        log_memory()
        boot.be_ready(self._scoring)
        return link.serve(self._scoring)


def fork() -> int:
    """os.fork(), without the warning for those who have threads: ours says more."""
    import warnings

    from scorehost import logs

    logs.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def join_group(pid: int) -> None:
    """Puts a worker into a process group of its own; both sides do, whoever is first."""
    try:
        os.setpgid(pid, pid)
    except OSError:
        pass  # the other was


def end_as(worker: "Callable[[], int]") -> "NoReturn":
    """Ends this process with a worker's exit code.

    Not by way of the interpreter's end: that would destroy the objects of
    init() once in each worker, and some of them delete files when they go.
    """
    import logging

    from scorehost import logs

    code = 1
    try:
        code = worker()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        logging.getLogger("gunicorn.error").exception("Exception in worker process")
    finally:
        try:
            run_exit_handlers()
        finally:
            logs.flush()
            os._exit(code & 0xFF)


def leave_exit_handlers() -> None:
    """Leaves what is registered for the end to the process that registered it."""
    import atexit
    import logging

    atexit._clear()
    atexit.register(logging.shutdown)
    weakref = sys.modules.get("weakref")
    if weakref is not None and getattr(weakref.finalize, "_registered_with_atexit", False):
        for finalizer in list(weakref.finalize._registry):
            finalizer.atexit = False
        atexit.register(weakref.finalize._exitfunc)


def run_exit_handlers() -> None:
    """Waits for the worker's own threads and runs what it registered itself."""
    import atexit

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()


def reseed() -> None:
    """Gives a worker random numbers of its own; Python's `random` does so itself."""
    numbers = sys.modules.get("numpy.random")
    if numbers is not None and hasattr(numbers, "seed"):
        numbers.seed()


# What is said before and after the fork


def log_memory() -> None:
    """Logs how much of a worker's memory is its own."""
    import logging

    private, shared = memory_kb()
    if private or shared:
        logging.getLogger("azmlinfsrv").info(
            "Worker with pid %d: %.1f MB private, %.1f MB shared with the preloaded parent",
            os.getpid(),
            private / 1024,
            shared / 1024,
        )


def memory_kb() -> tuple[int, int]:
    """The memory of this process, its own and what it shares; zeros where it is not told."""
    private = shared = 0
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith(("Private_Clean:", "Private_Dirty:")):
                    private += int(line.split()[1])
                elif line.startswith(("Shared_Clean:", "Shared_Dirty:")):
                    shared += int(line.split()[1])
    except OSError:
        pass
    return private, shared


def lost_threads() -> list[str]:
    """The threads that a fork would lose, by name.

    Some are no loss: OpenBLAS ends its own before a fork and starts them when
    they are wanted. So one process is forked for nothing, and what is still
    there after that counts.
    """
    import threading

    if len(os.listdir("/proc/self/task")) == 1:
        return []
    pid = fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # the script has the kernel take its children away
    ids = {int(task) for task in os.listdir("/proc/self/task")} - {os.getpid()}
    names = [thread.name for thread in threading.enumerate() if thread.native_id in ids]
    unnamed = len(ids) - len(names)
    return names + ([f"{unnamed} of native libraries"] if unnamed > 0 else [])


def warn_of_losses() -> None:
    """Tells what init() did that does not get through a fork."""
    import logging

    log = logging.getLogger("azmlinfsrv")
    names = lost_threads()
    if names:
        log.warning(
            "Threads started by init() do not exist in the workers: %s. "
            "Start them in after_fork(), which each worker calls.",
            ", ".join(names),
        )
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        log.warning(
            "init() uses CUDA, which does not work in a process that is forked later. "
            "Put the model on the GPU in after_fork(), which each worker calls."
        )


def load(control: socket.socket) -> "Scoring":
    """Loads the script; SystemExit(3) as in a worker."""
    import gc
    import json
    import logging
    import time

    from scorehost import boot, logs

    begun = time.monotonic()
    scoring = boot.start(json.loads(control.recv(BOOT_BYTES)), worker=True, preload=True)
    warn_of_losses()
    gc.collect()
    gc.freeze()
    logging.getLogger("azmlinfsrv").info(
        "Loaded in %.1f s: workers are forked from pid %d, which has %.1f MB",
        time.monotonic() - begun,
        os.getpid(),
        sum(memory_kb()) / 1024,
    )
    logs.flush()
    return scoring


def main() -> int:
    """Forks workers until the host closes the socket; returns the exit code."""
    from scorehost import _core, logs

    fd = int(sys.argv[1])
    _core.tie(fd)
    os.set_inheritable(fd, False)
    control = socket.socket(fileno=fd)
    try:
        zygote = Zygote(control, load(control))
        control.sendall(MESSAGE.pack(READY, 0, os.getpid(), 0, 0, 0))
        zygote.run()
    finally:
        logs.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
