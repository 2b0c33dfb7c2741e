"""What every engine's program begins with: its secrets are read from stdin, and it ends when stdin does."""

import os
import signal
import sys


def read_line(what):
    """Reads one line and not a byte more, so that stdin's end stays to be seen."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"\n", b""):
        line += byte
    if not line:
        sys.exit(f"no {what} on stdin")
    return line.decode()


def until_stdin_closes():
    while os.read(0, 4096):
        pass


def guard_the_load():
    """Loading a model holds Python's interpreter lock, so no thread of ours could see
    stdin close meanwhile; a forked process can."""
    parent = os.getpid()
    guard = os.fork()
    if guard:
        return guard
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        until_stdin_closes()
        if os.getppid() == parent:
            os.kill(parent, signal.SIGKILL)
    finally:
        os._exit(0)


def end_with_stdin():
    until_stdin_closes()
    os._exit(0)
