"""Run a command as root where user namespaces are forbidden, as in a container with the usual seccomp profile.

The limit is set inside a user namespace of its own, so nothing outside notices. Needs root.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000


def become_root_of_a_namespace(entered: int, mapped: int) -> None:
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        os._exit(70)
    os.write(entered, b"1")
    os.read(mapped, 1)
    os.setgid(0)
    os.setuid(0)
    with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as limit:
        limit.write("0")


def main(command: list[str]) -> int:
    entered_read, entered_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    child = os.fork()
    if child == 0:
        become_root_of_a_namespace(entered_write, mapped_read)
        os.execvp(command[0], command)
    os.read(entered_read, 1)
    for kind in ("uid", "gid"):
        with open(f"/proc/{child}/{kind}_map", "w", encoding="ascii") as file:
            file.write("0 0 70000")
    os.write(mapped_write, b"1")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


raise SystemExit(main(sys.argv[1:]))
