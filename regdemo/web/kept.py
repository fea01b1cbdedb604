"""Reports of trainings that are kept, one JSON file each: names, numbers and texts, nothing that runs."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

from regdemo import storage
from regdemo.errors import FileError
from regdemo.report import Block, Box, Boxes, Claim, Code, Curves, HeatMap, Interval, Report, Series, Table, Text

MOST_LISTED = 200  # that are listed
LARGEST_REPORT = 20_000_000  # bytes of one
_NAME = re.compile(r"[0-9a-f-]{1,40}")


@dataclass(frozen=True)
class Kept:
    """A report, what was asked, and when it was done."""

    name: str
    words: str
    at: datetime
    report: Report


def keep(folder: Path, words: str, report: Report, at: datetime) -> str:
    """Write a report down; its name. Raises FileError where that cannot be done."""
    name = f"{at:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    data = {"words": words, "at": at.timestamp(), "report": report.as_dict()}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    storage.write_file(folder / f"{name}.json", text, parents=True, remedy="check the permissions of its folder")
    return name


def read(folder: Path, name: str) -> Kept | None:
    """A report that was kept; None for a file that is no such thing, or not there."""
    if not _NAME.fullmatch(name):
        return None
    with suppress(OSError, FileError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        data = json.loads(storage.read_file(folder / f"{name}.json", LARGEST_REPORT))
        at = datetime.fromtimestamp(float(data["at"]), UTC)
        return Kept(name, str(data["words"]), at, _report(data["report"]))
    return None


def every(folder: Path) -> list[Kept]:
    """What was kept, the newest first."""
    with suppress(OSError):
        names = sorted((path.stem for path in folder.glob("*.json")), reverse=True)[:MOST_LISTED]
        return [kept for name in names if (kept := read(folder, name))]
    return []


def remove(folder: Path, name: str) -> None:
    """Keep it no longer."""
    if _NAME.fullmatch(name):
        with suppress(OSError):
            (folder / f"{name}.json").unlink(missing_ok=True)


def _report(data: Mapping[str, Any]) -> Report:
    known = {
        each.name for each in fields(Report)
    }  # a training's report also has every network's values, not shown here
    found: dict[str, Any] = {name: value for name, value in data.items() if name in known}
    found["claims"] = [_claim(one) for one in data["claims"]]
    for name in ("blocks", "picture"):
        found[name] = [_block(one) for one in data.get(name, ())]
    return Report(**found)


def _claim(data: Mapping[str, Any]) -> Claim:
    return Claim(**{name: _number(value) for name, value in data.items() if name != "holds"})


def _block(data: Mapping[str, Any]) -> Block:
    own = {name: value for name, value in data.items() if name != "kind"}
    match data["kind"]:
        case "text":
            return Text(**own)
        case "code":
            return Code(**own)
        case "table":
            return Table(**{**own, "rows": [list(map(_cell, row)) for row in data["rows"]]})
        case "heatmap":
            return HeatMap(**{**own, "values": [list(map(_number, row)) for row in data["values"]]})
        case "curves":
            return Curves(**{**own, "series": list(map(_series, data["series"]))})
        case "boxes":
            boxes = [Box(**{**one, "mean": _cell(one["mean"])}) for one in data["boxes"]]
            return Boxes(**{**own, "boxes": boxes})
    raise ValueError(f"a block of kind {data['kind']!r}")


def _series(data: Mapping[str, Any]) -> Series:
    own: dict[str, Any] = {
        name: list(map(_number, value)) if isinstance(value, list) else value for name, value in data.items()
    }
    return Series(**own)


def _cell(value: Any) -> Any:
    return (
        Interval(**{name: _number(part) for name, part in value.items()}) if isinstance(value, dict) else _number(value)
    )


def _number(value: Any) -> Any:
    """JSON has no NaN: it was written as null."""
    return nan if value is None else value
