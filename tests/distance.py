"""A database that is further away: a proxy in front of PostgreSQL that delays what passes and counts round trips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from sqlalchemy import make_url


class Distance:
    """A proxy with a delay of `seconds` a round trip; lives until `close`.

    A round trip is counted when the client sends something after it has heard from the server, on any of its connections.
    """

    def __init__(self, host: str, port: int, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.trips = 0
        self._target = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more connections, and end those that are open."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = _connected(*self._target)
            self._sockets += (client, server)
            for each in (client, server):
                if each.family != socket.AF_UNIX:
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            heard = [True]  # whether the server was the last to say something
            self._carry(client, server, heard, counted=True)
            self._carry(server, client, heard, counted=False)

    def _carry(self, source: socket.socket, target: socket.socket, heard: list[bool], *, counted: bool) -> None:
        waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def receive() -> None:
            data = b"!"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                if counted and data and heard[0]:
                    self.trips += 1
                    heard[0] = False
                elif not counted:
                    heard[0] = True
                waiting.put((time.perf_counter() + self.seconds / 2, data))

        def send() -> None:
            while True:
                due, data = waiting.get()
                pause = due - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                try:
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)
                except OSError:
                    return

        for work in (receive, send):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)


def _connected(host: str, port: int) -> socket.socket:
    if host.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{host}/.s.PGSQL.{port}")
        return connection
    return socket.create_connection((host, port))


@contextmanager
def at_distance(url: str, seconds: float = 0.0) -> Iterator[tuple[str, Distance]]:
    """The address of a database through a proxy, and the proxy."""
    address = make_url(url)
    host = str(address.query.get("host") or address.host or "127.0.0.1")
    port = int(str(address.query.get("port") or address.port or 5432))
    proxy = Distance(host, port, seconds)
    try:
        near = address.difference_update_query(["host", "port"]).set(host="127.0.0.1", port=proxy.port)
        yield near.render_as_string(hide_password=False), proxy
    finally:
        proxy.close()
