"""Trainings through the page: progress, a result that is kept, a refusal in one line."""

import time

import pytest

from web.conftest import Server, code_of


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    with server.client() as client:
        yield client
    server.stop()


def start(client, **fields):
    data = {"csrf": code_of(client.get("/compare")), **fields}
    return client.post("/compare/start", data=data, follow_redirects=True)


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
        ({"arms": "dropout", "combine": "on"}, "tick from 2 to 5"),
        ({"arms": "dropout", "seeds": "1"}, "from 8 to 64"),
        ({"arms": "dropout", "values": "data 1"}, "isn&#39;t a value of these techniques"),
        ({"arms": "dropout", "values": "p x"}, "write it as in"),
        ({"arms": "dropout", "task": "/etc/passwd"}, "there is no task"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(client, fields, said):
    answer = start(client, **fields)
    assert answer.status_code == 400
    assert said in answer.text


def test_a_value_outside_its_range_is_said_on_the_page(client):
    start(client, arms="dropout", task="digits", seeds="8", epochs="1", values="p 2")
    assert "is not allowed" in wait(client).text
