"""What each request must have before a route sees it, and what each response carries.

Host        an address of this server: a page elsewhere whose name was made to point here (DNS rebinding) has none
Origin      where the browser names one, this server's; a form without one is refused
cookie      from the one-time address that `regdemo web` prints
csrf        in each form, a code that follows from the cookie
body        a form of at most LARGEST_FORM bytes, that arrives within FORM_TIMEOUT seconds
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_FORM = 1_000_000  # bytes in a form
FORM_TIMEOUT = 20.0  # seconds in which a form must have arrived
MOST_FIELDS = 200
COOKIE_LIFE = 400 * 24 * 3_600  # seconds: as long as a browser keeps one
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRANGER = (
    "This page belongs to the one who started it. Open the address that `regdemo web` printed; each such address works "
    "once. If it was used, start `regdemo web` again."
)

WELCOME = 'Welcome. <a href="/">Go on to today.</a>'


class ServerSecrets:
    """The secrets of one server. key: kept between two starts, so that an open page goes on when the server is back.

    A cookie is a random name signed with the key; its form code is the name signed for another purpose.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.token = secrets.token_urlsafe(32)

    def enter(self, token: str) -> str | None:
        """A new cookie for the one-time token, or None; the token then works no more."""
        if not self.token or not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        self.token = ""
        name = secrets.token_urlsafe(24)
        return f"{name}.{self._sign('cookie', name)}"

    def knows(self, cookie: str) -> bool:
        """Whether this key signed the cookie."""
        name, _, signature = cookie.partition(".")
        return hmac.compare_digest(signature.encode(), self._sign("cookie", name).encode())

    def form_code(self, cookie: str) -> str:
        """What each form sent with this cookie must hold."""
        return self._sign("form", cookie)

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


class Guard:
    """Wraps an application: refuses what it should not see, reads forms into `scope["form"]`, adds the headers.

    hosts: the names that are this server's, in addition to every literal address; port: where it listens.
    """

    def __init__(self, app: ASGIApp, keys: ServerSecrets, port: int, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._keys = keys
        self._port = port
        self._hosts = {"localhost", *hosts}
        self._cookie = f"regdemo-{port}"  # cookies are shared by all ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Every response, also an error's, has HEADERS."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = await self._check(scope, receive)
        await (refusal or self._app)(scope, receive, with_headers)

    async def _check(self, scope: Scope, receive: Receive) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_here(host):
            return _refused(421, "This server answers to its own address only.")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _refused(405, "Only GET, HEAD and POST are answered.", {"Allow": "GET, HEAD, POST"})
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return _refused(403, "This request came from another site.")
        if scope["path"] == "/enter":
            return self._enter(scope)
        cookie = _cookie(headers.get("cookie", ""), self._cookie)
        if not scope["path"].startswith("/static/") and not self._keys.knows(cookie):
            return _refused(401, STRANGER)
        scope["form_code"] = self._keys.form_code(cookie)
        if scope["method"] != "POST":
            return None
        if origin is None:
            return _refused(403, "A form must say where it came from (Origin).")
        return await self._read_form(scope, receive, headers)

    def _is_here(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or port != str(self._port):
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.casefold() in self._hosts
        return True

    def _enter(self, scope: Scope) -> Response:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        cookie = self._keys.enter(query.get("token", ""))
        if cookie is None:
            known = self._keys.knows(_cookie(Headers(scope=scope).get("cookie", ""), self._cookie))
            return RedirectResponse("/", 303) if known else _refused(401, STRANGER)
        # A page that goes on by itself, and no redirect: after a link on another site that would come without a cookie.
        response = HTMLResponse(_PAGE.format(more='<meta http-equiv="refresh" content="0; url=/">', text=WELCOME))
        response.set_cookie(self._cookie, cookie, COOKIE_LIFE, httponly=True, samesite="strict", path="/")
        return response

    async def _read_form(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        length = headers.get("content-length", "")
        if length and (not length.isdecimal() or int(length) > LARGEST_FORM):
            return _refused(413, f"A form has at most {LARGEST_FORM:,} bytes.", CLOSE)
        body = bytearray()
        try:
            async with asyncio.timeout(FORM_TIMEOUT):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return _refused(400, "The form did not arrive whole.", CLOSE)
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > LARGEST_FORM:
                        return _refused(413, f"A form has at most {LARGEST_FORM:,} bytes.", CLOSE)
        except TimeoutError:
            return _refused(408, f"A form must arrive within {FORM_TIMEOUT:g} seconds.", CLOSE)
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return _refused(415, "A form is sent as application/x-www-form-urlencoded; there are no uploads.")
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return _refused(400, f"A form holds UTF-8 text and at most {MOST_FIELDS} fields.")
        form: dict[str, list[str]] = {}
        for name, value in pairs:
            form.setdefault(name, []).append(value.replace("\r\n", "\n"))
        code = form.pop("csrf", [""])[-1]
        if not hmac.compare_digest(code.encode(), scope["form_code"].encode()):
            return _refused(403, "This form is not from a page of this server: reload the page and send it again.")
        scope["form"] = form
        return None


CLOSE = {"Connection": "close"}  # what is left of a body that was refused is not read


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>regdemo</title><link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css">{more}</head>
<body><main><h1>regdemo</h1><p class="note">{text}</p></main></body></html>
"""


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    text = re.sub("`([^`]*)`", r"<code>\1</code>", escape(message))
    return HTMLResponse(_PAGE.format(more="", text=text), status, headers)


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def entrance(host: str, port: int, token: str) -> str:
    """The one-time address."""
    return f"http://{host}:{port}/enter?{urlencode({'token': token})}"
