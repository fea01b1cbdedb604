"""The box around a stranger's code: what it cannot reach, how much it may use, and which of that this platform grants.

Everything here is done to the process itself, needs no rights, and cannot be undone by it:

- Landlock (Linux 5.13): no file can be opened but those listed, nothing written outside the working directory, no TCP
  (6.7), no signal to another process (6.12). https://docs.kernel.org/userspace-api/landlock.html
- seccomp: no new process or thread, no other program, no socket, no look into another process; EPERM instead.
  https://man7.org/linux/man-pages/man2/seccomp.2.html
- limits (any Unix): processor time, address space, file size, core dumps, processes.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MEMORY = 2 * 2**30  # bytes of address space, beyond what torch itself has taken
FILE = 16 * 2**20  # bytes in a file it writes

# Landlock's rights, each with the version of its interface that brought it.
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_MAKE_AND_REMOVE = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8  # ordinary files and folders
_CHANGES = sum(1 << bit for bit in range(4, 13))  # the same, and links, pipes, sockets, devices
_LATER = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # move between folders, truncate, control devices
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture

_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1  # of prctl
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001  # what a filter answers


class _Calls(NamedTuple):
    """The system calls of one architecture, by number."""

    audit: int  # of the architecture itself
    seccomp: int
    tgkill: int  # abort() uses it: allowed on oneself
    refused: tuple[int, ...]


_CALLS = {
    "x86_64": _Calls(
        0xC000003E,
        317,
        234,
        (
            *(56, 57, 58, 435, 59, 322),  # clone fork vfork clone3, execve execveat
            *(41, 42, 43, 46, 49, 50, 288, 307),  # socket connect accept sendmsg bind listen accept4 sendmmsg
            *(101, 310, 311, 312),  # ptrace process_vm_readv process_vm_writev kcmp
            *(434, 438, 424, 62, 200, 129, 297),  # pidfd_open pidfd_getfd pidfd_send_signal, kill and its kin
            *(90, 91, 268, 452, 92, 93, 94, 260),  # chmod and chown, which Landlock leaves alone
            *(132, 235, 261, 280, 188, 189, 190, 197, 198, 199),  # times and attributes of files, likewise
            *(165, 166, 155, 161, 272, 308),  # mount umount2 pivot_root chroot unshare setns
            *(250, 248, 249, 321, 298, 425),  # keyctl add_key request_key bpf perf_event_open io_uring_setup
            *(169, 175, 313, 246),  # reboot init_module finit_module kexec_load
        ),
    ),
    "aarch64": _Calls(
        0xC00000B7,
        277,
        131,
        (
            *(220, 435, 221, 281),
            *(198, 203, 202, 211, 200, 201, 242, 269),
            *(117, 270, 271, 272),
            *(434, 438, 424, 129, 130, 138, 240),
            *(52, 53, 452, 54, 55),
            *(88, 5, 6, 7, 14, 15, 16),
            *(40, 39, 41, 51, 97, 268),
            *(219, 217, 218, 280, 241, 425),
            *(142, 105, 273, 104),
        ),
    ),
}


class Protection(NamedTuple):
    """One wall of the box: what it keeps off, by what means, and whether it stands here."""

    what: str
    means: str
    on: bool


def protections() -> list[Protection]:
    """Which walls stand on this platform."""
    version = _landlock_version()
    filtered = _can_filter()
    linux = sys.platform == "linux"
    return [
        Protection("files: torch and Python readable, a temporary folder writable, no other", "Landlock", version > 0),
        Protection(
            "network", "seccomp" if filtered or version < 4 else "Landlock, TCP alone", filtered or version >= 4
        ),
        Protection(
            "processes, threads and other programs",
            "seccomp" if filtered else "RLIMIT_NPROC, which does not bind root",
            filtered or os.geteuid() != 0,
        ),
        Protection("signals to other processes, a look into their memory", "seccomp", filtered),
        Protection(f"more than {MEMORY // 2**30} GB of memory", "RLIMIT_AS", linux),
        Protection(f"files over {FILE // 2**20} MB", "RLIMIT_FSIZE", True),
        Protection("endless loops", "a clock in the supervisor, and RLIMIT_CPU", True),
        Protection("your environment, terminal and open files", "a session of its own, without them", True),
        Protection("a forged result", "the judge is another process, which the code never entered", True),
    ]


class Walls:
    """The files that may be read, opened before a box is closed: a box itself can then be closed at once."""

    def __init__(self, hidden: Iterable[Path]) -> None:
        self._version = _landlock_version()
        self._ruleset = -1
        if self._version:
            self._ruleset = _ruleset(self._version)
            _allow(self._ruleset, Path("/dev/null"), _READ | _WRITE)
            for path in _readable([path.resolve() for path in hidden]):
                _allow(self._ruleset, path, (_READ | _LIST | _EXECUTE) if path.is_dir() else _READ | _EXECUTE)
            for folder in map(Path, sys.path):
                if _is_site(folder):
                    _allow(self._ruleset, folder, _LIST)  # its names, so that what stands in it is found

    def files(self) -> tuple[int, ...]:
        """The open file that a process keeps until its box is closed."""
        return (self._ruleset,) if self._version else ()

    def close(self) -> None:
        """Let go of it, in a process that stays outside."""
        for number in self.files():
            os.close(number)

    def close_in(self, seconds: int, folder: Path | None = None) -> None:
        """Put this process in the box, for ever. folder: where it may write."""
        _limit(seconds)
        if sys.platform != "linux":
            return
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        if self._version:
            if folder:
                rights = _WRITE | _READ | _LIST | _MAKE_AND_REMOVE
                _allow(self._ruleset, folder, rights | (_LATER[3] if self._version >= 3 else 0))
            if libc.syscall(_RESTRICT_SELF, self._ruleset, 0):
                raise OSError(ctypes.get_errno(), "landlock_restrict_self")
            self.close()
        _filter(libc)


def _limit(seconds: int) -> None:
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: FILE,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = taken + MEMORY
    for name, limit in limits.items():
        _, hard = resource.getrlimit(name)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(name, (limit, limit))


# Landlock


def _landlock_version() -> int:
    """The version of Landlock's interface, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, 1)))


def _ruleset(version: int) -> int:
    """A new set of rules, under which everything is refused that no rule allows."""
    files = _EXECUTE | _WRITE | _READ | _LIST | _CHANGES | sum(bit for least, bit in _LATER.items() if version >= least)
    fields = [files]
    if version >= 4:
        fields.append(3)  # bind and connect
    if version >= 6:
        fields.append(3)  # abstract sockets and signals of others
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, attributes, len(attributes), 0))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Allow something below a path. One that is not there needs no rule."""
    with suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            ctypes.CDLL(None).syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)


def _readable(hidden: list[Path]) -> Iterator[Path]:
    """What Python and torch read after they are loaded, without what is hidden."""
    paths = sysconfig.get_paths()
    places = {Path(paths["stdlib"]), Path(paths["platstdlib"]), *filter(_is_site, map(Path, sys.path))}
    places |= set(map(Path, ("/lib", "/lib64", "/usr/lib", "/dev/zero", "/dev/urandom")))
    places |= {Path("/proc/cpuinfo"), Path("/sys/devices/system/cpu")}  # torch asks late what this processor can do
    for place in sorted({place.resolve() for place in places if place.exists()}):
        yield from _around(place, hidden)


def _around(place: Path, hidden: list[Path]) -> Iterator[Path]:
    """The place, or where something in it is hidden, its parts around that."""
    if any(place.is_relative_to(path) for path in hidden):
        return
    if not any(path.is_relative_to(place) for path in hidden):
        yield place
        return
    with suppress(OSError):
        for part in sorted(place.iterdir()):
            if not part.is_symlink():
                yield from _around(part, hidden)


def _is_site(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages")


# seccomp


def _can_filter() -> bool:
    calls = _CALLS.get(platform.machine())
    if sys.platform != "linux" or not calls:
        return False
    return int(ctypes.CDLL(None).syscall(calls.seccomp, 2, 0, ctypes.byref(ctypes.c_uint32(_ALLOW)))) == 0


def _filter(libc: ctypes.CDLL) -> None:
    """Refuse what `_CALLS` lists. A program for the kernel's packet filter, over its `struct seccomp_data`."""
    if not _can_filter():
        return
    calls = _CALLS[platform.machine()]
    load, equal, least, give = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),  # the architecture
        (equal, 1, 0, calls.audit),
        (give, 0, 0, _EPERM),
        (load, 0, 0, 0),  # the number of the call
        (least, 0, 1, 0x40000000),  # the second numbering of x86-64
        (give, 0, 0, _EPERM),
    ]
    for call in calls.refused:
        program += [(equal, 0, 1, call), (give, 0, 0, _EPERM)]
    program += [
        (equal, 0, 3, calls.tgkill),
        (load, 0, 0, 16),  # its first argument
        (equal, 1, 0, os.getpid()),
        (give, 0, 0, _EPERM),
        (give, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    if libc.syscall(calls.seccomp, 1, 0, struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))):
        raise OSError(ctypes.get_errno(), "seccomp")
