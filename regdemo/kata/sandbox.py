"""The sandbox around judged code: what the code cannot reach, how much it may use, and what of that exists here.

A process puts itself into the sandbox, needs no privileges for it, and cannot leave it again:

- Landlock (Linux 5.13 and later): of all files, those of Python and torch can be opened, for reading. It also refuses
  TCP (6.7) and signals to processes outside (6.12). https://docs.kernel.org/userspace-api/landlock.html
- seccomp (Linux on x86-64 and arm64): the kernel answers the system calls listed in `_CALLS`, with the arguments listed
  in `_ARGUMENTS`, and refuses every other one with EPERM. https://man7.org/linux/man-pages/man2/seccomp.2.html
- resource limits (any Unix): processor time, address space (Linux), written files, core dumps.

`missing()` asks the system what it offers; `regdemo.kata.attacks` tries whether it holds.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import signal
import struct
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

MEMORY = 2 * 2**30  # bytes of address space, in addition to what torch itself has taken

# Landlock's access rights, each with the version of its interface that introduced it.
_EXECUTE, _READ, _LIST = 1, 4, 8
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_SET_PDEATHSIG, _NO_NEW_PRIVS = 1, 38  # options of prctl

# The system calls that Python and torch make once they are loaded: (x86-64, arm64); None where there is no such call.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    # files that are open, and their names
    "read": (0, 63),
    "write": (1, 64),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "open": (2, None),
    "openat": (257, 56),
    "close": (3, 57),
    "close_range": (436, 436),
    "lseek": (8, 62),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "sendto": (44, 206),  # over the connection that is there: a new socket cannot be made
    "recvfrom": (45, 207),
    "shutdown": (48, 210),
    # its own memory, within RLIMIT_AS
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    # itself
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "tgkill": (234, 131),
    "futex": (202, 98),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "restart_syscall": (219, 128),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrlimit": (97, 163),
    "prlimit64": (302, 261),
    "getrusage": (98, 165),
    "times": (100, 153),
    # the machine, its clock and its randomness
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "getcpu": (309, 168),
    "time": (201, None),
    "gettimeofday": (96, 169),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "getrandom": (318, 278),
}

# Conditions on the arguments of some calls: (word, mask, values). Argument n is the words 2n and 2n + 1 (its high
# half). The word, after a bitwise and with the mask, must be one of the values.
_SELF = -1  # stands for the number of the process
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC if sys.platform == "linux" else 0
_WORD = 0xFFFFFFFF
_ARGUMENTS: dict[str, list[tuple[int, int, tuple[int, ...]]]] = {
    "open": [(2, _WRITING, (0,))],
    "openat": [(4, _WRITING, (0,))],
    "fcntl": [(2, _WORD, (0, 1, 2, 3, 4, 1030))],  # duplicate a descriptor; get and set its flags; not its owner
    "ioctl": [(2, _WORD, (0x5401, 0x5421, 0x5450, 0x5451))],  # is it a terminal; blocking; close-on-exec
    "prlimit64": [(0, _WORD, (0, _SELF)), (4, _WORD, (0,)), (5, _WORD, (0,))],  # read its own limits, set none
    "tgkill": [(0, _WORD, (_SELF,))],  # abort() uses it
}
_ALL_THREADS = 1  # a flag of seccomp
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, audit's number, seccomp's
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001  # what a filter answers


def missing() -> list[str]:
    """The protections that this platform lacks, in words that finish "here there is no protection of ...".

    Empty on Linux 5.13 and later, x86-64 or arm64, if the kernel was built with Landlock and seccomp.
    """
    lacking = []
    if not _landlock_version():
        lacking.append("your files, which judged code could read" + ("" if _can_filter() else " and change"))
    if not _can_filter():
        lacking.append("the network and other processes")
    if sys.platform != "linux":
        lacking.append("your computer's memory")
    return lacking


class Sandbox:
    """What a process may still read once it is in the sandbox.

    The files are opened here, so that the one who starts the process prepares the list, and the process enters at once.
    hidden: files and folders that it may not read although they are among those of Python.
    """

    def __init__(self, hidden: Iterable[Path] = ()) -> None:
        self._version = _landlock_version()
        self._ruleset = -1
        if self._version:
            self._ruleset = _new_ruleset(self._version)
            for path in _readable([path.resolve() for path in hidden]):
                _allow(self._ruleset, path, (_READ | _LIST | _EXECUTE) if path.is_dir() else _READ | _EXECUTE)
            for folder in map(Path, sys.path):
                if _is_site(folder):
                    _allow(self._ruleset, folder, _LIST)  # an import lists the folder to find what is in it

    def descriptors(self) -> tuple[int, ...]:
        """The open files that a process keeps until it has entered."""
        return (self._ruleset,) if self._version else ()

    def close(self) -> None:
        """Close the list in a process that stays outside."""
        for number in self.descriptors():
            os.close(number)

    def enter(self, seconds: int) -> None:
        """Put this process into the sandbox for the rest of its life, with so many seconds of processor time.

        Where a part of the sandbox does not exist, the others are used; see `missing`. Raises OSError if a part that
        exists cannot be set up.
        """
        _limit(seconds)
        if sys.platform != "linux":
            return
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        if self._version:
            if libc.syscall(_RESTRICT_SELF, self._ruleset, 0):
                raise OSError(ctypes.get_errno(), "landlock_restrict_self")
            self.close()
        if _can_filter():
            _filter(libc)


def _limit(seconds: int) -> None:
    try:
        import resource  # Unix alone has it
    except ImportError:
        return
    limits = {
        resource.RLIMIT_CPU: math.ceil(time.process_time()) + seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,  # root is not bound by it
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


def _new_ruleset(version: int) -> int:
    """A set of rules that refuses everything which no rule added to it allows."""
    fields = [sum(rights for since, rights in _FILE_RIGHTS.items() if version >= since)]
    if version >= 4:
        fields.append(3)  # bind and connect of TCP
    if version >= 6:
        fields.append(3)  # abstract sockets, and signals to processes outside
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, attributes, len(attributes), 0))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Allow access to a path and what is below it. A path that does not exist needs no rule."""
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
    places |= set(map(Path, ("/lib", "/lib64", "/usr/lib", "/dev/null", "/dev/zero", "/dev/urandom")))
    places |= {Path("/proc/cpuinfo"), Path("/sys/devices/system/cpu")}  # torch asks late what the processor can do
    for place in sorted({place.resolve() for place in places if place.exists()}):
        yield from _around(place, hidden)


def _around(place: Path, hidden: list[Path]) -> Iterator[Path]:
    """The place; if something in it is hidden, the parts of it that are not."""
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
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or not machine:
        return False
    return int(ctypes.CDLL(None).syscall(machine[2], 2, 0, ctypes.byref(ctypes.c_uint32(_ALLOW)))) == 0


def _filter(libc: ctypes.CDLL) -> None:
    """Hand the kernel a program for its packet filter, which looks at a `struct seccomp_data`."""
    column, audit, seccomp = _MACHINES[platform.machine()]
    load, both, equal, answer = 0x20, 0x54, 0x15, 0x06
    refuse = (answer, 0, 0, _EPERM)
    program = [(load, 0, 0, 4), (equal, 1, 0, audit), refuse, (load, 0, 0, 0)]
    for name, numbers in _CALLS.items():
        number = numbers[column]
        if number is None:
            continue
        block = []
        for word, mask, values in _ARGUMENTS.get(name, []):
            block += [(load, 0, 0, 16 + 4 * word), (both, 0, 0, mask)]
            for left, value in zip(range(len(values), 0, -1), values, strict=True):
                block.append((equal, left, 0, os.getpid() if value == _SELF else value))
            block.append(refuse)
        block.append((answer, 0, 0, _ALLOW))
        program += [(equal, 0, len(block), number), *block]
    program.append(refuse)  # with the second numbering of x86-64 too, whose numbers are none of these
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    if libc.syscall(seccomp, 1, _ALL_THREADS, struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))):
        raise OSError(ctypes.get_errno(), "seccomp")
