"""Which files of a folder are translations of others: recognized by a language in their name or in a folder's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

# The languages of ISO 639-1 that files are translated into, and the countries that some name instead. In a folder's
# name cs, it, ml, my and the like are more often something else: they count with a country behind them only.
_LANGUAGES = """
    ar bg bn bs ca ch cn cz da de dk el es et eu fa fi fil fr gl gr he hi hr hu hy id ja jp ka kk km ko kr lt lv mk mn
    nb nl pl pt ro ru sk sl sq sr sv sw ta te th tr tw ua uk ur uz vi vn zh
"""
_IN_A_FOLDER = frozenset(_LANGUAGES.split())
_IN_A_NAME = _IN_A_FOLDER | {"cs", "in", "it"}
_WITH_COUNTRY = _IN_A_NAME | {"az", "be", "en", "ms", "ne", "no", "si"}
_ENGLISH = frozenset({"en", "en-us", "en-gb", "en_us", "en_gb"})
_FOLDERS = frozenset({"translations", "translation", "i18n", "locales", "locale", "lang", "langs", "languages"})
_OF_LANGUAGES = frozenset({"translations", "translation", "i18n"})
_CODE = re.compile(r"(?:(?P<stem>.+)[-_. ])?(?P<language>[a-z]{2,3})(?P<country>[-_][a-z]{2,4})", re.DOTALL)
_BARE = re.compile(r"(?:(?P<stem>.+)[-_. ])?(?P<language>[a-z]{2,3})", re.DOTALL)


def translations(files: Iterable[Path], root: Path) -> dict[Path, Path | None]:
    """The files that are translations, each with its original: the file of the same name without the language.

    The original lies in the same folder, or where the folder of the language, or `translations`, lies; where each has
    a folder of its language, it is the English one. What lies in a folder below `translations` is one, beside other
    files, even if its original is not among them.
    """
    depth = len(root.parts)
    lowered = {path: _lowered(path.parts[depth:]) for path in sorted(files)}
    plain = {path: _without_language(parts) for path, parts in lowered.items()}
    originals = {key: path for path, key in plain.items() if key == lowered[path]}
    for path, parts in lowered.items():
        if not _ENGLISH.isdisjoint(parts):
            originals.setdefault(plain[path], path)
    below = {path for path, parts in lowered.items() if _is_below_translations(parts)}
    found: dict[Path, Path | None] = dict.fromkeys(below if len(below) < len(lowered) else ())
    for path, key in plain.items():
        if (original := originals.get(key, path)) != path:
            found[path] = original
    return found


def _is_below_translations(parts: tuple[str, ...]) -> bool:
    """Whether a file lies in a folder of its own below `translations`: there the folder names a language."""
    return any(folder in _OF_LANGUAGES for folder in parts[:-2])


def _lowered(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*(part.lower() for part in parts[:-1]), PurePath(parts[-1]).stem.lower())


def _without_language(parts: tuple[str, ...]) -> tuple[str, ...]:
    """A path's parts without languages: those of `zh-CN/README-zh_CN.md` are `readme` alone."""
    *folders, stem = parts
    for form, languages in ((_CODE, _WITH_COUNTRY), (_BARE, _IN_A_NAME)):
        if (name := form.fullmatch(stem)) and name["stem"] and name["language"] in languages:
            stem = name["stem"]
            break
    stem = "" if _is_language(stem) else stem  # `pt-BR.mdx` next to `en-US.mdx`
    return (*(folder for folder in folders if not _is_language(folder)), stem)


def _is_language(folder: str) -> bool:
    if folder in _FOLDERS or folder in _IN_A_FOLDER or folder == "en":
        return True
    code = _CODE.fullmatch(folder)
    return bool(code and not code["stem"] and code["language"] in _WITH_COUNTRY)
