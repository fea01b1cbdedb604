"""The socket, the one-time address, uvicorn. Everything that is said on the terminal is said here."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from regdemo import storage
from regdemo.errors import ArgumentError, RegdemoError
from regdemo.web.app import application
from regdemo.web.guard import Guard, ServerSecrets, entrance
from regdemo.web.site import Site

KEPT = (
    "web.json"  # next to the history: the signing key and the last port, so that an open page goes on after a restart
)


class PortError(RegdemoError):
    """A port that cannot be listened on."""


@dataclass(frozen=True)
class ListenAddress:
    """Where to listen. port: 0 for the last one used if it is free, else any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    allow_network: bool = False

    def check(self) -> None:
        """Raise ArgumentError for an address that other machines reach, unless that was confirmed."""
        if self.host == "localhost" or self.allow_network:
            return
        try:
            own = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            own = False
        if not own:
            raise ArgumentError(
                f"--host {self.host} lets other machines reach this page, without encryption: add --allow-network if "
                "that is meant, or leave --host out"
            )


def serve(site: Site, place: ListenAddress, *, browser: bool = True) -> None:
    """Serve until Ctrl-C. Prints the address on a line of its own; opens it, unless told not to.

    Raises ArgumentError as `ListenAddress.check` does, PortError for a taken port, DeckError for a deck with faults.
    """
    place.check()
    if site.bank_path is not None:
        _ = site.bank  # a deck with faults is better refused now than on a page
    key, last = _kept(site.home)
    listener = _listen(place, last)
    port = listener.getsockname()[1]
    _keep(site.home, key, port)
    keys = ServerSecrets(key)
    names = [place.host.casefold()]
    if place.allow_network:
        names.append(socket.gethostname().casefold())
    app = Guard(application(site), keys, port, names)
    shown = "127.0.0.1" if place.host in ("0.0.0.0", "::") else place.host
    address = entrance(f"[{shown}]" if ":" in shown else shown, port, keys.token)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
    )
    server = _Server(config)
    print(address, flush=True)
    if browser:
        print("Open this address in your browser, if that has not happened. Ctrl-C ends the server.", file=sys.stderr)
        # The socket listens already: a browser that is quick waits for the first answer.
        threading.Thread(target=_open, args=[address], daemon=True).start()
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's, which leaves Ctrl-C as the ordinary end."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        with suppress(KeyboardInterrupt):
            super().run(sockets)


def _open(address: str) -> None:
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(address)


def _listen(place: ListenAddress, last: int) -> socket.socket:
    """A listening socket. A page that is open goes on where it was, if the last port is free."""
    for port in [place.port] if place.port else [last, 0]:
        try:
            family = socket.getaddrinfo(place.host, port, type=socket.SOCK_STREAM)[0][0]
            # asyncio sends small pieces at once only where the protocol is named; else each answer waits about 40 ms.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                if os.name == "posix":
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((place.host, port))
                listener.listen(128)
            except BaseException:
                listener.close()
                raise
        except (OSError, OverflowError) as error:
            if port == last != place.port:
                continue
            why = getattr(error, "strerror", None) or error
            raise PortError(
                f"{place.host}:{port} cannot be listened on, {why}: leave --port out to take a free one"
            ) from error
        return listener
    raise AssertionError("port 0 is always tried last")


def _kept(home: Path) -> tuple[bytes, int]:
    """The signing key and the last port; a new key where there is none that can be used."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((home / KEPT).read_text("utf-8"))
        key, port = bytes.fromhex(kept["key"]), int(kept["port"])
        if len(key) == 32 and 0 <= port < 65_536:
            return key, port
    return secrets.token_bytes(32), 0


def _keep(home: Path, key: bytes, port: int) -> None:
    """Note both, readable for their owner only. Losing the note costs opening a new address."""
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        storage.atomic_write(home / KEPT, json.dumps({"key": key.hex(), "port": port}), mode=0o600)
