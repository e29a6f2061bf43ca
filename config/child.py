"""The last step before a server's own program: become a child that cannot outlive its parent.

Run by path, `python -I -S child.py PARENT SIGNAL IDENTITY FOLDER PROGRAM [ARGUMENT…]`; it ends by
turning into PROGRAM, working in FOLDER. SIGNAL is what the kernel sends the program when PARENT
dies, however it dies. IDENTITY is `same`, `namespace` (see `enter_namespace`) or `UID:GID`.

Why a program of its own and not `preexec_fn`: that runs Python between fork and exec, which may
deadlock once the parent has threads. It imports nothing but the standard library, and little of it:
every start of a server waits for this one.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def call(name: str, *arguments: int) -> None:
    """Call a function of the C library; OSError with its errno when it declines."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter_namespace() -> None:
    """Be nobody inside a user namespace and still ourselves outside of it.

    PostgreSQL refuses to run as root because root's powers make an intruder's. In the namespace we
    keep the ownership of our files, give up the powers, and no account of the machine is touched.
    """
    user, group = os.getuid(), os.getgid()
    call("unshare", CLONE_NEWUSER)
    # The kernel takes the group map only from a process that can no longer change its groups.
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {user} 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def take_identity(identity: str) -> None:
    if identity == "namespace":
        enter_namespace()
    elif identity != "same":
        user, group = (int(number) for number in identity.split(":"))
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)


def main(parent: int, signal: int, identity: str, folder: str, command: list[str]) -> None:
    take_identity(identity)
    # After the change of identity, which would clear it.
    call("prctl", PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        raise ProcessLookupError(f"the parent, process {parent}, is gone")
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    parent, signal, identity, folder, *command = sys.argv[1:]
    try:
        main(int(parent), int(signal), identity, folder, command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]} as {identity} in {folder}: {error}")
