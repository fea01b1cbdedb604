"""Translations, told by the names of files and folders."""

from pathlib import Path

import pytest

from regdemo.quiz.translations import translations

ROOT = Path("bank")


@pytest.mark.parametrize(
    "name",
    [
        *("README-fr.md", "README_zh-CN.md", "readme.pt_BR.md", "README-it.md", "README.ja.md", "README uk.md"),
        *("zh-CN/README.md", "fr/readme.md", "it-IT/README.md", "translations/README-de.md", "i18n/ko/README_ko.md"),
        *("translations/cs-CZ/README.md", "ar-EG/README_ar-EG.md"),
    ],
)
def test_a_language_in_a_name_makes_a_translation(name):
    original, translated = ROOT / "README.md", ROOT / name
    assert translations([original, translated], ROOT) == {translated: original}


@pytest.mark.parametrize(
    "name",
    [
        "cs/README.md",
        "ml/README.md",
        "it/README.md",
        "README-advanced.md",
        "docs/README.md",
        "README-sql.md",
        "x-fr.md",
    ],
)
def test_other_names_do_not(name):
    assert translations([ROOT / "README.md", ROOT / name], ROOT) == {}


def test_a_language_alone_translates_nothing():
    assert translations([ROOT / "verbs-fr.md", ROOT / "de" / "nouns.md"], ROOT) == {}


def test_a_translation_keeps_its_place_below_the_language():
    files = [ROOT / "python" / "oop.md", ROOT / "sql" / "oop.md", ROOT / "es" / "python" / "oop.md"]
    assert translations(files, ROOT) == {files[2]: files[0]}


def test_where_each_language_has_a_folder_the_english_one_is_the_original():
    files = [ROOT / "topics" / language / "sql.md" for language in ("en", "ko", "zh-CN")]
    assert translations(files, ROOT) == {files[1]: files[0], files[2]: files[0]}


def test_folders_below_translations_are_languages_even_without_an_original():
    files = [ROOT / "sql.md", ROOT / "translations" / "romanian" / "guide.md"]
    assert translations(files, ROOT) == {files[1]: None}


def test_a_bank_of_nothing_else_is_no_translation():
    assert translations([ROOT / "translations" / "romanian" / "guide.md"], ROOT) == {}
