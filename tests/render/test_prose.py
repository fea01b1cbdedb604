from __future__ import annotations

from regdemo.render.prose import inline


def test_a_lone_backtick_is_a_backtick() -> None:
    assert [piece[:2] for piece in inline("a ` b")] == [("text", "a ` b")]


def test_a_link_ends_before_the_sentence_does() -> None:
    assert [piece[:2] for piece in inline("(see https://arxiv.org/abs/1207.0580).")] == [
        ("text", "(see "),
        ("link", "https://arxiv.org/abs/1207.0580"),
        ("text", ")."),
    ]
