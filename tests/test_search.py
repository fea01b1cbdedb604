"""Search finds everything that there is, best first, by words."""

import json
import re
from random import Random

import pytest

from regdemo import catalog, search
from regdemo.cli import app
from regdemo.errors import ArgumentError
from regdemo.quiz.decks import bundled, load
from regdemo.search import SearchDocument, find


@pytest.fixture(scope="module")
def everything():
    return list(search.documents(load(bundled()), search.guide()))


def document(name, title="", text="", kind="card"):
    return SearchDocument(kind, name, title, text, f"open {name}")


def names(hits):
    return [hit.name for hit in hits]


def test_every_demo_pitfall_and_card_is_found_by_its_own_words(everything):
    found = {(one.kind, one.name) for one in everything}
    assert {("demo", entry.name) for entry in catalog.demos()} <= found
    assert {("pitfall", pitfall.name) for pitfall in catalog.pitfalls()} <= found
    cards = {one.name for one in everything if one.kind in ("card", "kata")}
    assert len(cards) == len(load(bundled()).cards)


def test_a_demo_named_like_the_words_comes_first(everything):
    for entry in catalog.demos():
        assert names(find(entry.name, everything, kinds=["demo"]))[0] == entry.name


def test_a_section_of_the_guide_is_opened_at_its_line(everything):
    lines = search.guide().read_text("utf-8").splitlines()
    sections = [one for one in everything if one.kind == "guide"]
    assert sections
    for one in sections:
        assert one.title in lines[int(one.command.rpartition(":")[2]) - 1]


def test_a_word_in_the_name_outweighs_one_in_the_text():
    among = [document("a", text="dropout " * 5), document("dropout")]
    assert names(find("dropout", among)) == ["dropout", "a"]


def test_all_words_are_wanted_and_any_of_them_where_none_has_all():
    among = [document("a", text="ridge penalty"), document("b", text="ridge prior"), document("c", text="lasso")]
    assert names(find("ridge prior", among)) == ["b"]
    assert set(names(find("ridge lasso", among))) == {"a", "b", "c"}


def test_words_with_the_same_stem_and_beginnings_of_the_last_word_are_found():
    among = [document("a", text="regularizing networks")]
    assert names(find("regularized", among)) == ["a"]
    assert names(find("network regul", among)) == ["a"]


@pytest.mark.parametrize(
    "words", ['"', "*", "(", "a AND", "NEAR(", "-x", 'title:"a', "a* OR", "{a b}: c", "^", "'; DROP"]
)
def test_the_languages_of_queries_are_not_obeyed(words):
    if not re.search(r"\w", words):
        with pytest.raises(ArgumentError, match="no word to search for"):
            find(words, [])
    else:
        assert names(find(words, [document("a", text="a and near x title or b c drop")])) == ["a"]


def test_an_id_that_is_typed_comes_first(everything):
    assert names(find("Q18.1", everything))[0] == "Q18.1"
    kata = next(one for one in everything if one.kind == "kata" and one.id == "K5")
    assert [names(find(id, everything))[0] for id in ("K5", "k5")] == [kata.name] * 2


def test_a_title_has_values_for_its_parameters(everything):
    cards = {card.id: card for card in load(bundled()).cards}
    for one in everything:
        if one.kind == "card":
            assert one.title == cards[one.name].ask(Random(0)).question.partition("\n")[0]
    assert not any("Beta({a}, {a})" in one.title + one.text for one in everything)


def test_an_excerpt_is_plain_prose_and_says_more_than_the_title():
    text = "- **Mixup** scales\n\n$$\n\\lambda\\,x\n$$\n\n| a | `b` |\n| --- | ---: |\n| 1 | [2](two.md) |\n<!-- x -->"
    among = [document("a", "mixup", text)]
    assert [hit.excerpt for hit in find("mixup", among)] == ["«Mixup» scales λ x a | b 1 | 2"]
    assert [hit.excerpt for hit in find("lambda", among)] == ["Mixup scales λ x a | b 1 | 2"]


def test_no_excerpt_of_the_bank_has_markup(everything):
    for words in ("dropout", "variance", "table", "lambda", "generator", "frac"):
        for hit in find(words, everything, most=1_000):
            assert not re.search(r"\*\*|\\[a-z]{2,}|\]\(|```|<!--|\$", hit.excerpt), hit


def test_an_unknown_kind_is_refused_with_those_that_exist():
    with pytest.raises(ArgumentError, match=r"'song'.*demo, card, kata, pitfall, diagnosis, guide"):
        find("a", [], kinds=["song"])


def test_the_command_prints_what_to_type(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path))
    assert app.run(["search", "label", "smoothing", "--json", "--most", "5"]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert len(hits) == 5
    assert {"kind": "demo", "command": "regdemo label-smoothing"}.items() <= hits[0].items()
    monkeypatch.setenv("COLUMNS", "30")  # where no command is broken
    assert app.run(["search", "dropout batch norm"]) == 0
    assert capsys.readouterr().out.startswith("demo     regdemo dropout-batch-norm\n")
    assert app.run(["search", "xyzzy"]) == 0
    assert "Nothing has 'xyzzy'" in capsys.readouterr().out
