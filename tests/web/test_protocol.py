"""What a plain client may do to the server, and what it gets for it."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest

from regdemo.errors import ArgumentError
from regdemo.web import guard
from regdemo.web.guard import ServerSecrets
from regdemo.web.server import ListenAddress, _listen
from web.conftest import Server, code_of


@pytest.fixture(scope="module")
def client(server):
    with server.client() as client:
        yield client


def raw(server, data):
    """What the server answers to these bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        found = b""
        with suppress(ConnectionError, OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while more := connection.recv(65_536):
                found += more
    return found.decode("latin-1")


def form_status(receive):
    """The status that a form gets whose body arrives like this."""
    keys = ServerSecrets(b"k" * 32)
    cookie = keys.enter(keys.token)
    sent = []

    async def send(message):
        sent.append(message)

    headers = {
        "host": "127.0.0.1:80",
        "origin": "http://127.0.0.1:80",
        "cookie": f"regdemo-80={cookie}",
        "content-type": "application/x-www-form-urlencoded",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/quiz/start",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(guard.Guard(None, keys, 80)(scope, receive, send))
    return sent[0]["status"]


def test_a_browser_that_has_not_entered_sees_nothing(server):
    answer = httpx.get(f"{server.base}/stats")
    assert answer.status_code == 401
    assert "regdemo web" in answer.text


def test_the_printed_address_works_once(server, client):
    assert httpx.get(server.address).status_code == 401


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites():
    keys = ServerSecrets(b"k" * 32)
    sent = {}

    async def send(message):
        sent.update(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/enter",
        "query_string": f"token={keys.token}".encode(),
        "headers": [(b"host", b"127.0.0.1:80")],
    }
    asyncio.run(guard.Guard(None, keys, 80)(scope, None, send))
    (cookie,) = [value.decode() for name, value in sent["headers"] if name == b"set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=34560000" in cookie, "a browser that was closed is still known"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""]
)
def test_a_host_that_is_not_the_servers_is_refused(server, client, host):
    answer = client.get("/", headers={"Host": host.format(port=server.port)})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}"])
def test_an_address_of_this_machine_is_answered(server, client, host):
    name = host.format(port=server.port)
    assert client.get("/", headers={"Host": name, "Origin": f"http://{name}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_another_origin_is_refused(client, origin):
    assert client.get("/", headers={"Origin": origin}).status_code == 403


def test_a_form_without_an_origin_is_refused(server, client):
    code = code_of(client.get("/"))
    with httpx.Client(base_url=server.base, cookies=client.cookies) as bare:
        assert bare.post("/quiz/start", data={"csrf": code}).status_code == 403


@pytest.mark.parametrize("code", [None, "", "0" * 64, "é"])
def test_a_form_without_its_code_is_refused(client, code):
    assert client.post("/quiz/start", data={"new": "1"} if code is None else {"csrf": code}).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    assert client.request(method, "/").status_code == 405


def test_a_page_that_only_takes_forms_does_not_act_on_a_link(client):
    answer = client.get("/quiz/undo")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/quiz")


def test_a_body_of_100_MB_is_refused_unread(server, client):
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = (
        f"POST /quiz/start HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {server.base}\r\nCookie: {cookie}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000000\r\n\r\n"
    )
    assert raw(server, head.encode()).startswith("HTTP/1.1 413")


def test_a_body_that_grows_beyond_its_limit_is_refused_at_once():
    sent = []

    async def receive():
        sent.append(b"a" * 50_000)
        return {"type": "http.request", "body": sent[-1], "more_body": True}

    assert form_status(receive) == 413
    assert sum(map(len, sent)) <= guard.LARGEST_FORM + 50_000


def test_an_upload_is_refused(client):
    assert client.post("/quiz/start", files={"file": b"x"}).status_code == 415


def test_a_slow_body_is_given_up(monkeypatch):
    monkeypatch.setattr(guard, "FORM_TIMEOUT", 0.01)

    async def receive():
        await asyncio.Event().wait()

    assert form_status(receive) == 408


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2fetc%2fpasswd",
        "/static/style.css%00.py",
        "/guide/pictures/..%2fREADME.md",
        "/guide/pictures/%2e%2e%2f%2e%2e%2fREADME.md",
        "/demos/..%2f..%2fapp",
        "/pitfalls/__init__",
        "/topics/..%2fREADME",
        "//etc/passwd",
    ],
)
def test_no_path_leads_to_a_file(server, client, path):
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    answer = raw(server, head.encode())
    assert answer.split()[1] in ("404", "400")
    assert "root:" not in answer
    assert "import " not in answer


def test_every_page_forbids_inline_script_and_framing(client):
    for path in ("/", "/no-such-page", "/static/style.css"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_what_is_no_http_ends_with_a_refusal(server):
    assert raw(server, b"\x16\x03\x01 hello\r\n\r\n").startswith("HTTP/1.1 400")


def test_a_header_without_an_end_is_refused(server):
    assert raw(server, b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000).startswith("HTTP/1.1 4")


def test_another_address_needs_a_confirmation():
    with pytest.raises(ArgumentError, match="--allow-network"):
        ListenAddress("0.0.0.0").check()
    ListenAddress("0.0.0.0", allow_network=True).check()
    ListenAddress("127.0.0.2").check()


def test_a_small_answer_does_not_wait_for_the_one_before_it_to_be_acknowledged():
    async def no_delay():
        found = asyncio.get_running_loop().create_future()

        async def answer(reader, writer):
            accepted = writer.get_extra_info("socket")
            found.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = _listen(ListenAddress(), 0)
        async with await asyncio.start_server(answer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await found

    assert asyncio.run(no_delay())


def test_the_key_is_readable_for_its_owner_only(server):
    if os.name == "posix":
        assert stat.S_IMODE((server.home / "web.json").stat().st_mode) == 0o600


def test_a_cookie_outlives_the_server_and_the_port_is_taken_again(tmp_path):
    first = Server(tmp_path)
    with first.client() as client:
        first.kill()
        second = Server(tmp_path)
        try:
            assert second.port == first.port
            assert client.get("/stats").status_code == 200
        finally:
            second.stop()


def test_a_damaged_key_file_is_replaced(tmp_path):
    (tmp_path / "web.json").write_text('{"key": 1}')
    server = Server(tmp_path)
    server.stop()
    assert len(json.loads((tmp_path / "web.json").read_text())["key"]) == 64


def test_a_port_that_is_taken_is_said_in_one_line(server, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "regdemo", "web", "--no-browser", "--port", str(server.port), "--home", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{server.port}" in done.stderr


def test_a_deck_that_is_not_there_is_refused_before_the_server_listens(tmp_path):
    words = ["web", "--no-browser", "--bank", str(tmp_path / "none.md"), "--home", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "regdemo", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert "none.md" in done.stderr


def test_the_server_does_not_load_torch(tmp_path):
    trap = (
        "import sys\n"
        "class Trap:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'numpy', 'scipy'): raise SystemExit(f'trapped {name}')\n"
        "from regdemo import lazy; lazy.install(); sys.meta_path.insert(0, Trap())\n"
        "from pathlib import Path\n"
        "from starlette.requests import Request\n"
        "from regdemo.web.app import application\n"
        "from regdemo.web.site import Site\n"
        "application(Site(home=Path(sys.argv[1]), folder=Path()))\n"
    )
    done = subprocess.run([sys.executable, "-c", trap, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
