"""Files are written whole or not at all; locks hold between processes; caches give way."""

import errno
import os
import subprocess
import sys
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from regdemo import storage
from regdemo.errors import FileError, FileTakenError


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_text_is_written_as_utf8_with_its_own_line_ends(tmp_path):
    storage.atomic_write(tmp_path / "a", "é\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\r\n"


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(step, tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, step, full)
    with pytest.raises(OSError, match="No space left"):
        storage.atomic_write(file, "new")
    assert (file.read_text(), names(tmp_path)) == ("old", ["a"])


def test_a_link_is_followed_and_permissions_are_kept(tmp_path):
    file, link = tmp_path / "a", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    storage.atomic_write(link, "new")
    assert (file.read_text(), link.is_symlink(), file.stat().st_mode & 0o777) == ("new", True, 0o640)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit((tmp_path / "pipe").read_bytes)
        storage.atomic_write(tmp_path / "pipe", "text")
        assert read.result(20) == b"text"
    assert (tmp_path / "pipe").is_fifo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


def test_what_is_for_its_owner_only_is_so_from_the_first_byte(tmp_path, monkeypatch):
    file, seen = tmp_path / "key", set()
    file.touch(0o644)
    fsync = os.fsync

    def look(handle):
        seen.update(entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir() if entry.stat().st_size)
        fsync(handle)

    monkeypatch.setattr(storage.os, "fsync", look)
    storage.atomic_write(file, "secret", mode=0o600)
    assert (seen, file.stat().st_mode & 0o777, file.read_text()) == ({0o600}, 0o600, "secret")


def test_a_name_that_another_process_takes_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    file = tmp_path / "a"
    chmod = os.chmod

    def take_the_name_first(*arguments):
        file.write_text("theirs")
        chmod(*arguments)

    monkeypatch.setattr(storage.os, "chmod", take_the_name_first)
    with pytest.raises(FileExistsError):
        storage.atomic_write(file, "mine", replace=False)
    assert (file.read_text(), names(tmp_path)) == ("theirs", ["a"])


def test_what_fails_names_the_file_the_reason_and_the_remedy(tmp_path):
    storage.write_file(tmp_path / "new" / "a", "mine", parents=True, remedy="-")
    with pytest.raises(FileTakenError, match=r"/new/a exists already: name another file$"):
        storage.write_file(tmp_path / "new" / "a", "new", replace=False, remedy="name another file")
    for parents in (True, False):
        with pytest.raises(FileError, match=r"/a/b� cannot be written \(.*\): name another file$") as raised:
            storage.write_file(
                tmp_path / "new" / "a" / "b\n", "", replace=False, parents=parents, remedy="name another file"
            )
        assert not isinstance(raised.value, FileTakenError)


def test_a_cache_is_not_written_where_it_would_leave_no_room(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage(storage.DISK_RESERVE + 2))
    assert storage.write_cache(tmp_path / "a", b"ab")
    assert not storage.write_cache(tmp_path / "b", b"abc")
    assert names(tmp_path) == ["a"]


def test_a_cache_that_cannot_be_written_raises_nothing(tmp_path):
    (tmp_path / "file").touch()
    assert not storage.write_cache(tmp_path / "file" / "cache", b"a")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="isn't a regular file"):
        storage.read_file(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", ".", "a\0b"])
def test_a_device_or_a_folder_is_refused(name):
    with pytest.raises(FileError, match=r"regular file|cannot be read"):
        storage.read_file(Path(name))


def test_a_file_over_the_limit_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert storage.read_file(tmp_path / "a", 3) == b"abc"
    with pytest.raises(FileError, match="has 3 bytes: at most 2 are allowed"):
        storage.read_file(tmp_path / "a", 2)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_file_that_says_it_is_empty_is_read_whole_or_refused():
    whole = Path("/proc/self/status").read_bytes()[:100]
    assert storage.read_file(Path("/proc/self/status"))[:100] == whole
    with pytest.raises(FileError, match="at most 99 are allowed"):
        storage.read_file(Path("/proc/self/status"), 99)


def test_a_lock_keeps_other_processes_out_and_ends_with_its_block(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom regdemo import storage\n"
        "try:\n    with storage.file_lock(Path(sys.argv[1]), 0.0):\n        print('mine')\n"
        "except Exception as error:\n    print(error)"
    )

    def other():
        return subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "lock")], capture_output=True, text=True, check=True
        ).stdout

    with storage.file_lock(tmp_path / "lock"):
        assert "held by another program" in other()
    assert other() == "mine\n"


def test_a_lock_keeps_other_threads_out(tmp_path):
    inside, most = 0, 0
    ready = threading.Barrier(4)

    def work():
        nonlocal inside, most
        ready.wait()
        for _ in range(20):
            with storage.file_lock(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
