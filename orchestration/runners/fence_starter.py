"""The first program inside the fence: hands descriptors out, limits itself, becomes the command.

It is run as source text by a Python of the system, without any other file of Butler. Arguments:
the descriptor of its socket to the worker, the working folder, the file of the standard input, the
port of the gateway's relay, the limits as JSON, and the command. Through the socket, the worker
gets descriptors of the port and of the folder, and then the number of the error, if the command
cannot be started.
"""

import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

_OPEN_FILES_MAX = 4096


def start() -> None:
    """Become the command."""
    worker = socket.socket(fileno=int(sys.argv[1]))
    folder, stdin, port, limits, *argv = sys.argv[2:]
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    home = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    socket.send_fds(worker, [b"ready"], [listener.fileno(), home])
    os.dup2(os.open(stdin, os.O_RDONLY), 0)
    _limit(**json.loads(limits))
    for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    worker.set_inheritable(False)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  there is no shell, on purpose
    except OSError as error:
        worker.send(str(error.errno).encode())


def _limit(*, memory: int, processes: int, file: int) -> None:
    for what, most in {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: _OPEN_FILES_MAX,
        resource.RLIMIT_CORE: 0,
    }.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    os.nice(10)
    # If the machine is short of memory, the system ends commands before anything of Butler.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


if __name__ == "__main__":
    start()
