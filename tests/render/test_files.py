from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from regdemo.errors import ArgumentError, FileError
from regdemo.render.files import refuse_unwritable, save, to_json, to_text
from regdemo.report import Report

FORMS = (".html", ".svg", ".json", ".txt")


@pytest.mark.parametrize("form", FORMS)
def test_each_ending_writes_its_form_in_utf8(report: Report, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"report{form}"
    save(report, path)
    begins = {".html": "<!DOCTYPE html>", ".svg": "<svg ", ".json": "{", ".txt": "Attention dropout"}[form]
    assert path.read_text("utf-8").startswith(begins)


@pytest.mark.parametrize("form", FORMS)
def test_every_report_can_be_saved(odd: Report, tmp_path: Path, form: str) -> None:
    save(odd, tmp_path / f"odd{form}")
    assert "数字" in (tmp_path / f"odd{form}").read_text("utf-8")


def test_the_ending_may_be_in_capitals(report: Report, tmp_path: Path) -> None:
    save(report, tmp_path / "REPORT.JSON")
    assert json.loads((tmp_path / "REPORT.JSON").read_text("utf-8")) == report.as_dict()


@pytest.mark.parametrize("name", ["report.pdf", "report", ".html", "report.html.gz"])
def test_another_ending_is_refused_by_naming_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match=r"\.html, \.svg, \.json, \.txt"):
        refuse_unwritable(tmp_path / name)


def test_check_leaves_nothing_behind(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_check_leaves_an_existing_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    before = path.stat()
    refuse_unwritable(path)
    assert (path.read_text(), path.stat().st_mtime_ns) == ("mine", before.st_mtime_ns)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no folder .*missing"):
        refuse_unwritable(tmp_path / "missing" / "report.html")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(FileError, match="it is a folder"):
        refuse_unwritable(tmp_path / "folder.html")


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="no folder"):
        refuse_unwritable(tmp_path / "file" / "report.html")


def test_a_name_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="too long"):
        refuse_unwritable(tmp_path / f"{'n' * 300}.html")


# Root may write anywhere, so what a user is refused is simulated.
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(FileError, match="not writable"):
        refuse_unwritable(tmp_path / "report.html")


def test_a_read_only_file_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.touch()
    monkeypatch.setattr(os, "access", lambda asked, mode: Path(asked) != path)
    with pytest.raises(FileError, match="read-only"):
        refuse_unwritable(path)


def test_bad_files_exit_with_3_and_bad_endings_with_2() -> None:
    assert (FileError.exit_code, ArgumentError.exit_code) == (3, 2)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_draft(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(FileError, match=r"report\.html cannot be written \(No space left on device\): name another"):
        save(report, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]


def test_ctrl_c_while_writing_leaves_the_old_file_and_no_draft(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(report, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_private_file_stays_private(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.touch(mode=0o600)
    save(report, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_followed_not_replaced(report: Report, tmp_path: Path) -> None:
    (tmp_path / "target.json").touch()
    (tmp_path / "link.json").symlink_to("target.json")
    save(report, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_text("utf-8") == to_json(report)


def test_json_is_the_report_and_ends_its_line(report: Report) -> None:
    text = to_json(report)
    assert json.loads(text) == report.as_dict()
    assert text.endswith("}\n")


def test_json_has_null_where_there_is_no_number(odd: Report) -> None:
    parsed = json.loads(to_json(odd), parse_constant=pytest.fail)
    wild = next(block for block in parsed["blocks"] if block.get("title") == "wild")
    assert wild["values"] == [[None, None, None], [5.0, -5.0]]


def test_json_writes_letters_as_they_are(odd: Report) -> None:
    assert "数字" in to_json(odd)


@pytest.mark.parametrize(("name", "value"), [("FORCE_COLOR", "1"), ("COLUMNS", "40"), ("TERM", "dumb")])
def test_the_environment_does_not_change_the_text(
    report: Report, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    before = to_text(report)
    monkeypatch.setenv(name, value)
    assert to_text(report) == before


def test_the_text_has_no_colour_codes_and_no_trailing_blanks(report: Report, odd: Report) -> None:
    for text in (to_text(report), to_text(odd)):
        assert "\x1b" not in text
        assert [line for line in text.split("\n") if line != line.rstrip()] == []
