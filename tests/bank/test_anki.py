"""Packages for Anki, judged by Anki's own library, and packages that it wrote, read here."""

import io
import json
import re
import sqlite3
import zipfile

import pytest

from regdemo.bank import anki as writer
from regdemo.bank import apkg, deck
from regdemo.errors import FileError
from regdemo.quiz import decks
from regdemo.quiz.decks import load

collection = pytest.importorskip("anki.collection")

DECK = """\
## Q1: What is $x_1 < 2$ in `a_b`?

$$
\\frac{a}{b}
$$

### Answer
It is <b>not</b> bold:

```python
x = 1
```

## Q2: What is twice {p}?

```toml vary
p = [1, 2, 3]
```

### Answer
= 2*p

## Q3: A {{mean|average}} and a {{a::b}}.

## Q4: Which?

- [ ] this
  - no
- [x] that
"""


@pytest.fixture(scope="module")
def col(tmp_path_factory):
    opened = collection.Collection(str(tmp_path_factory.mktemp("anki") / "collection.anki2"))
    yield opened
    opened.close()


def imported(col, file):
    """Import a package as a person would who changes no setting."""
    options = col._backend.get_import_anki_package_presets()
    return col.import_anki_package(collection.ImportAnkiPackageRequest(package_path=str(file), options=options))


def exported(tmp_path, text, name="mine"):
    (tmp_path / "d.md").write_text(text)
    file = tmp_path / "d.apkg"
    writer.write(load(tmp_path / "d.md").cards, file, name)
    return file


def note(col, id):
    (found,) = col.find_notes(f'Id:"{id}"')
    return col.get_note(found)


@pytest.fixture(scope="module")
def filled(col, tmp_path_factory):
    imported(col, exported(tmp_path_factory.mktemp("deck"), DECK))
    return col


def test_every_card_is_a_note_in_a_deck_for_its_topic(filled):
    assert {note(filled, f"Q{n}").cards()[0].did for n in range(1, 5)} == {filled.decks.id_for_name("mine::d")}
    assert filled.card_count() == 4


def test_formulas_are_mathjax_and_tags_are_shown(filled):
    front, back = note(filled, "Q1").fields[1:]
    assert r"\(x_1 &lt; 2\)" in front
    assert re.search(r"\\\[\s*\\frac\{a\}\{b\}\s*\\\]", front)
    assert "<code>a_b</code>" in front
    assert "&lt;b&gt;not&lt;/b&gt;" in back


def test_code_is_highlighted(filled):
    assert '<span class="mi">1</span>' in note(filled, "Q1").fields[2]


def test_a_parameter_has_one_value_for_ever(filled, tmp_path):
    (value,) = re.search(r"twice (\d)", note(filled, "Q2").fields[1]).groups()
    assert f"= {2 * int(value)} for p = {value}<" in note(filled, "Q2").fields[2]
    again = exported(tmp_path, DECK)
    (fields,) = [one.fields for one in apkg.read(again).notes if one.fields["Id"] == "Q2"]
    assert fields["Front"] == note(filled, "Q2").fields[1]


def test_a_cloze_is_ankis_own(filled):
    cloze = note(filled, "Q3")
    assert cloze.fields[1] == "<p>A {{c1::mean}} and a {{c1::a: :b}}.</p>\n"
    assert "[...] and a <span" in cloze.cards()[0].question().replace("</span>", "")


def test_options_are_lettered_and_the_right_one_named(filled):
    front, back = note(filled, "Q4").fields[1:]
    assert '<ol type="a"><li><p>this</p>\n</li><li><p>that</p>\n</li></ol>' in front.replace("<li>this</li>", "")
    assert "<strong>b)</strong> that" in back or "<strong>a)</strong> that" in back


def test_importing_again_updates_a_note_and_keeps_its_schedule(col, filled, tmp_path):
    card = note(col, "Q4").cards()[0]
    col.sched.set_due_date([card.id], "9")
    before = col.get_card(card.id)
    file = exported(tmp_path, DECK.replace("Which?", "Which one?"))
    with zipfile.ZipFile(file) as archive:  # as if a minute later: Anki compares whole seconds
        database = tmp_path / "c.db"
        database.write_bytes(archive.read("collection.anki2"))
    with sqlite3.connect(database) as db:
        db.execute("update notes set mod = mod + 60")
    db.close()
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(database, "collection.anki2")
        archive.writestr("media", "{}")
    count = col.note_count()
    imported(col, file)
    after = note(col, "Q4").cards()[0]
    assert "Which one?" in note(col, "Q4").fields[1]
    assert (after.id, after.due, after.ivl, after.type) == (before.id, before.due, before.ivl, before.type)
    assert col.note_count() == count


def test_what_anki_would_obey_is_disarmed(tmp_path):
    text = "## Q1: Why [sound:a.mp3] [latex]\\input{x}[/latex] [$]x[/$]?\n\nSo [link](https://example.org).\n"
    (front,) = [one.fields["Front"] for one in apkg.read(exported(tmp_path, text)).notes]
    assert re.findall(r"\[(?:sound|/?latex|/?\$)", front) == []
    assert "&#91;sound:a.mp3]" in front


# Packages that Anki wrote


@pytest.fixture(params=[True, False], ids=["old", "new"])
def package(request, col, filled, tmp_path):
    """A collection of other people's notes as Anki exports it, for old versions and for new ones (compressed)."""
    file = tmp_path / "their.apkg"
    own = collection.Collection(str(tmp_path / "their.anki2"))
    for name, fields in [
        ("Basic", ["What is <b>it</b>?<br>Really {{it}}", "<div>- [x] this</div><ul><li>one</li><li>two</li></ul>"]),
        ("Cloze", ["The {{c1::mean::hint}} and {{c2::a_b}}, \\(x_{{1}}\\).", "So."]),
        ("Basic", ["# A heading <script>alert(1)</script>", "= 3\n<pre>x = [1]\n```</pre>"]),
        ("Basic", ["Nothing", ""]),
    ]:
        added = own.new_note(own.models.by_name(name))
        added.fields = fields
        added.tags = ["a b", "deep::er"]
        own.add_note(added, own.decks.id("Default"))
    options = collection.ExportAnkiPackageOptions(legacy=request.param, with_scheduling=False, with_media=True)
    own.export_anki_package(out_path=str(file), options=options, limit=None)
    own.close()
    return file


def test_their_notes_become_cards_that_say_the_same(package, tmp_path):
    (text,) = deck.decks(apkg.read(package).notes, "Their # deck")
    (tmp_path / "their.md").write_text(text)
    cards = load(tmp_path / "their.md").cards
    assert [card.kind for card in cards] == ["recall", "cloze", "recall"]
    assert cards[0].question == "What is **it**?\n\nReally { {it}}"
    assert cards[0].answer == "\\- \\[x\\] this\n\n- one\n- two"
    assert cards[1].blanks == (("mean",), ("a_b",))
    assert cards[1].explanation == "So."
    assert cards[2].question == "\\# A heading"
    assert cards[2].answer == "\\= 3\n\n````\nx = [1]\n```\n````"
    assert cards[0].tags == ("their", "a-b", "deep::er") or "deep::er" in cards[0].tags


def test_what_was_exported_here_comes_back_under_its_id(tmp_path):
    notes = apkg.read(exported(tmp_path, DECK)).notes
    (tmp_path / "back.md").write_text(deck.decks(notes, "back")[0])
    cards = load(tmp_path / "back.md").cards
    assert [(card.id, card.kind) for card in cards] == [
        ("Q1", "recall"),
        ("Q2", "recall"),
        ("Q3", "cloze"),
        ("Q4", "recall"),
    ]
    assert "x\\_1" not in cards[0].question
    assert "$x_1 < 2$" in cards[0].question


# Bad packages


def packed(tmp_path, entries, name="bad.apkg"):
    file = tmp_path / name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in entries.items():
            archive.writestr(entry, data)
    return file


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(apkg, "LARGEST_DATABASE", 3_000_000)
    file = packed(tmp_path, {"collection.anki2": b"\0" * 10_000_000})
    with pytest.raises(FileError, match=r"bad\.apkg unpacks to more than 3,000,000 bytes"):
        apkg.read(file)


def test_a_compressed_bomb_is_not_unpacked_either(tmp_path, monkeypatch):
    zstandard = pytest.importorskip("zstandard")
    monkeypatch.setattr(apkg, "LARGEST_DATABASE", 3_000_000)
    file = packed(tmp_path, {"collection.anki21b": zstandard.compress(b"\0" * 10_000_000)})
    with pytest.raises(FileError, match="unpacks to more than"):
        apkg.read(file)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"readme": "x"}, "holds no collection of Anki's"),
        ({"collection.anki2": b"no database"}, "is damaged, file is not a database"),
        ({"collection.anki21b": b"not compressed"}, "isn't a package of Anki's"),
    ],
)
def test_what_is_no_package_is_named(tmp_path, entries, said):
    with pytest.raises(FileError, match=said):
        apkg.read(packed(tmp_path, entries))


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "a.apkg").write_text("text")
    with pytest.raises(FileError, match=r"a\.apkg isn't a package of Anki's, File is not a zip file"):
        apkg.read(tmp_path / "a.apkg")


def test_a_database_that_computes_for_ever_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(apkg, "_STEPS", 2)
    database = tmp_path / "c.db"
    with sqlite3.connect(database) as db:
        db.execute("create table col (models text)")
        db.execute("insert into col values (?)", (json.dumps({}),))
        endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
        db.execute(f"create view notes as select i as id, 1 as guid, 1 as mid, '' as tags, '' as flds from ({endless})")
    db.close()
    monkeypatch.setattr(apkg, "MOST_NOTES", 10**12)
    with pytest.raises(FileError, match="takes too long to read"):
        apkg.read(packed(tmp_path, {"collection.anki2": database.read_bytes()}))


@pytest.mark.parametrize(
    ("models", "model"),
    [
        ([{"name": "Basic"}], 1),
        ({"1": {"name": "Basic", "flds": 5}}, 1),
        ({"1": {"flds": []}}, 1),
        ({"one": {"name": "Basic", "flds": []}}, 1),
        (7, 1),
        ({}, "no number"),
        ({}, None),
    ],
)
def test_kinds_of_note_that_are_malformed_end_in_one_line(models, model, tmp_path):
    database = tmp_path / "c.db"
    with sqlite3.connect(database) as db:
        db.execute("create table col (models text)")
        db.execute("insert into col values (?)", (json.dumps(models),))
        db.execute("create table notes (id, guid, mid, tags, flds)")
        db.execute("insert into notes values (1, 'g', ?, '', 'a')", (model,))
    db.close()
    with pytest.raises(FileError, match="aren't as Anki writes them"):
        apkg.read(packed(tmp_path, {"collection.anki2": database.read_bytes()}))


def test_a_note_of_a_kind_that_is_missing_keeps_its_fields(tmp_path):
    database = tmp_path / "c.db"
    with sqlite3.connect(database) as db:
        db.execute("create table col (models text)")
        db.execute("insert into col values ('{}')")
        db.execute("create table notes (id, guid, mid, tags, flds)")
        db.execute("insert into notes values (1, 'g', 5, '', 'a')")
    db.close()
    (note,) = apkg.read(packed(tmp_path, {"collection.anki2": database.read_bytes()})).notes
    assert note.fields == {"Field 1": "a"}


def test_html_of_any_depth_is_read():
    assert deck.markdown("<b>" * 10_000 + "x" + "</b>" * 10_000).strip("*") == "x"


def test_many_notes_fill_many_decks(monkeypatch):
    monkeypatch.setattr(deck, "MOST_CARDS", 2)
    notes = [apkg.AnkiNote(f"g{n}", "Basic", {"Front": f"q{n}", "Back": "a"}, False, ()) for n in range(5)]
    assert [text.count("\n## ") for text in deck.decks(notes, "t")] == [2, 2, 1]


def test_the_bundled_bank_can_be_exported(tmp_path):
    cards = decks.load(decks.bundled()).cards
    writer.write(cards, tmp_path / "b.apkg", "regdemo")
    assert len(apkg.read(tmp_path / "b.apkg").notes) == len(cards)
    assert io.BytesIO((tmp_path / "b.apkg").read_bytes()).read(2) == b"PK"
