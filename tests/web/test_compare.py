"""Trainings through the page: progress, a result that is kept, a refusal in one line."""

import re
import time
from html import unescape

import pytest

from regdemo.lab import data
from web.conftest import Server, code_of


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    with server.client() as client:
        yield client
    server.stop()


def start(client, **fields):
    data = {"csrf": code_of(client.get("/compare")), **fields}
    return client.post("/compare", data=data, follow_redirects=True)


def wait(client):
    """The page when nothing trains any more. Asked as the page itself asks, and given up after minutes."""
    until = time.monotonic() + 300
    while client.get("/compare/progress").status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    return client.get("/compare")


def test_a_training_shows_its_progress_and_its_result_is_kept(client):
    page = start(client, arms="dropout", task="digits", seeds="8", epochs="1", values="p 0.1 0.3")
    assert "<progress" in page.text
    assert "a training is under way, perhaps in another tab" in start(client, arms="dropout").text
    page = wait(client)
    assert "Look at the result" in page.text
    name = page.text.partition('href="/compare/2')[2].partition('"')[0]
    result = client.get(f"/compare/2{name}").text
    assert "regdemo compare dropout --p 0.1 0.3 --task digits --seeds 8 --epochs 1" in result
    assert "<svg" in result
    twice = client.get(f"/compare/2{name}?with=2{name}").text
    assert twice.count("<article") == 2
    client.post(f"/compare/2{name}/remove", data={"csrf": code_of(page)})
    assert client.get(f"/compare/2{name}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "no technique is ticked"),
        ({"arms": "dropout", "combine": "on"}, "1 given, and it must be from 2 to 5"),
        ({"arms": ["sam", "mixup"], "combine": "on", "values": "rho 0.1 0.2"}, "give it one"),
        ({"arms": "attention-dropout"}, "attention-dropout does not fit the task mnist1d"),
        ({"arms": "dropout", "seeds": "1"}, "1 is not allowed: it must be a whole number from 8 to 64"),
        ({"arms": "dropout", "values": "data 1"}, "'data' isn't a parameter of these techniques: what they have is p"),
        ({"arms": "dropout", "values": "p"}, "'p' must be a name and its numbers, as in p 0.1 0.2"),
        ({"arms": "dropout", "values": "p x"}, "'p x' must be a name and its numbers, as in p 0.1 0.2"),
        ({"arms": "dropout", "values": "p 2"}, "p = 2.0 is not allowed"),
        ({"arms": "dropout", "task": "/etc/passwd"}, "there is no task"),
    ],
)
def test_what_cannot_be_trained_is_said_at_its_field_and_stays_in_the_form(client, fields, said):
    page = start(client, epochs="3", **fields)
    assert page.status_code == 400
    assert re.search(f'class="fault" id="[a-z]+-fault" role="alert">[^<]*{re.escape(said)}', unescape(page.text))
    assert re.search('name="epochs" value="3"', page.text)
    ticked = fields.get("arms", [])
    assert re.findall('name="arms" value="([^"]+)" checked', page.text) == sorted(
        [ticked] if isinstance(ticked, str) else ticked
    )
    assert f'name="values" value="{fields.get("values", "")}"' in page.text


def test_a_name_given_twice_has_the_values_of_both(client):
    start(client, arms="dropout", task="digits", seeds="8", epochs="1", values="p 0.1, p 0.3")
    page = wait(client)
    assert "regdemo compare dropout --p 0.1 --p 0.3 --task digits" in page.text
    name = page.text.partition('href="/compare/2')[2].partition('"')[0]
    assert "Dropout 0.1 and dropout 0.3 against none" in client.get(f"/compare/2{name}").text
    assert 'name="values" value="p 0.1, p 0.3"' in page.text, "the form is as it was"


@pytest.mark.parametrize("task", ["mnist1d", "digits", "diabetes", "text"])
def test_what_a_task_offers_is_known_before_it_is_loaded(task):
    assert data.TASKS[task]().offers == data.OFFERS[task]
