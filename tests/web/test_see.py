"""What a card's `See it` leads to in the page."""

import pytest

see = pytest.importorskip("regdemo.web.see", reason="the extra web is missing")


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("regdemo dropout", "/demos/dropout"),
        ("regdemo dropout --p 0.3", "/demos/dropout?p=0.3"),
        ("regdemo dropout --p=0.3 --seed 4", "/demos/dropout?p=0.3&seed=4"),
        ("regdemo drop-path", "/demos/drop-path"),
        ("regdemo pitfalls token-noise", "/pitfalls/token-noise"),
        ("regdemo pitfalls", "/pitfalls"),
        ("regdemo compare dropout --task digits", "/compare?arms=dropout&task=digits"),
        ("regdemo combine dropout mixup", "/compare?arms=dropout&arms=mixup&combine=on"),
        ("regdemo list", "/demos"),
    ],
)
def test_a_command_that_shows_something_has_a_page(command, address):
    assert see.link(command).address == address


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "regdemo",
        "regdemo quiz --bank /etc",
        "regdemo dropout --p 7",
        "regdemo dropout --p",
        "regdemo dropout --save x.html",
        "regdemo dropout p 0.1",
        "regdemo augmentation --model /tmp/x",
        "regdemo gpt2 --hf",
        "regdemo dropout --p 0.1; rm x",
        "regdemo 'dropout",
        "",
    ],
)
def test_any_other_command_has_none(command):
    assert see.link(command) is None
