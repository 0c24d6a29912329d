"""Become the right user, tie one's life to the supervisor's, then exec the command given.

Run as a script (`python -I -S launch.py OPTIONS -- COMMAND…`) rather than as a `preexec_fn`: it is safe beside
threads, and what goes wrong is a sentence in the child's own log. The process id stays the same through the exec.
"""

import argparse
import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
CANNOT_CHANGE_IDENTITY = 71
CANNOT_USE_FOLDER = 72
CANNOT_EXECUTE = 73


def main(arguments: list[str]) -> int:
    """Exec the command; returns an exit code only where that is impossible."""
    options = _parse(arguments)
    os.umask(0o077)
    try:
        take_identity(options.identity)
    except OSError as error:
        print(f"cannot take the identity {options.identity}: {error}", file=sys.stderr)
        return CANNOT_CHANGE_IDENTITY
    if options.folder and not os.access(options.folder, os.R_OK | os.W_OK | os.X_OK):
        print(f"cannot use the folder {options.folder} as {options.identity}", file=sys.stderr)
        return CANNOT_USE_FOLDER
    # Last before the exec: a change of credentials clears the signal again.
    die_with(options.parent, options.death_signal)
    try:
        os.execv(options.command[0], options.command)
    except OSError as error:
        print(f"cannot execute {options.command[0]}: {error}", file=sys.stderr)
    return CANNOT_EXECUTE


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--identity", default="direct")
    parser.add_argument("--folder", default="")
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--death-signal", type=int, default=0)
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def take_identity(identity: str) -> None:
    """`direct`, `namespace:UID:GID` (seen inside, oneself outside) or `account:UID:GID` (given up for good)."""
    kind, *numbers = identity.split(":")
    if kind == "namespace":
        enter_user_namespace(int(numbers[0]), int(numbers[1]))
    elif kind == "account":
        os.setgroups([])
        os.setgid(int(numbers[1]))
        os.setuid(int(numbers[0]))


def enter_user_namespace(uid: int, gid: int) -> None:
    """Show our own user and group to ourselves as `uid` and `gid`; files and their owners stay what they were.

    Raises OSError where the kernel or a container's seccomp profile forbids user namespaces.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    _write("/proc/self/setgroups", "deny")  # the kernel asks for it before a group may be mapped
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent dies; go at once if it already has."""
    if not death_signal or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if parent and os.getppid() != parent:
        raise SystemExit(0)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
