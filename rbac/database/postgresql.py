"""PostgreSQL as a store needs it: nothing waits for ever, and a commit is on the disk before it is acknowledged."""

from __future__ import annotations

import os
import selectors
import weakref
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from rbac.database.store_files import BUSY
from rbac.errors import StoreError

_STATEMENT = 60  # seconds any one statement may take on PostgreSQL; migrations lift it
_IDLE = 300  # seconds a transaction may be left open there
_CONNECT = 5  # seconds to reach it


def make_engine(address: URL) -> Engine:
    """An engine whose connections notice a server or a network that is gone; nothing is contacted."""
    arguments = {"connect_timeout": _CONNECT, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    arguments["tcp_user_timeout"] = _CONNECT * 1000  # a network that swallows everything is an error then, not a wait
    asked = {key: value for key, value in arguments.items() if key not in address.query}
    try:
        return create_engine(address, connect_args=asked, use_native_hstore=False, pool_size=10, max_overflow=10, pool_timeout=BUSY)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'studio-rbac[postgres]'") from error


def listen(engine: Engine) -> None:
    """Set up every connection of an engine from now on."""
    event.listen(engine, "do_connect", connect_with_timeout)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkin", _reset_read_only)
    event.listen(engine, "checkout", ensure_open)


def connect_with_timeout(_: object, __: object, arguments: Any, named: Any) -> Any:
    """A connection that does not wait for ever for a server that hangs."""
    from rbac.database.client_timeouts import Connection

    return Connection.connect(*arguments, **named)


_connections: weakref.WeakSet[Any] = weakref.WeakSet()


def disconnect_after_fork() -> None:
    """In a child: what is still sent on a connection of the parent goes nowhere.

    Else a rollback at the child's exit, by whatever keeps the connection, would end the parent's transaction.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for connection in _connections:
        if not connection.closed:
            os.dup2(nowhere, connection.fileno(), inheritable=False)
    os.close(nowhere)
    _connections.clear()


SETTINGS = f"""SELECT set_config('statement_timeout', '{_STATEMENT}s', false), set_config('lock_timeout', '{BUSY}s', false),
set_config('idle_in_transaction_session_timeout', '{_IDLE}s', false),
CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"""


def set_up(connection: Any, _: object) -> None:
    """Nothing waits for ever, and a commit is on the disk before it is acknowledged; no options a pooler would refuse."""
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(SETTINGS)
    connection.autocommit = autocommit
    _connections.add(connection)


def ensure_open(connection: Any, *_: object) -> None:
    """Raise DisconnectionError for a connection that the server or the network has ended: the pool takes another one.

    An idle connection has nothing to say but that it ends, so looking is enough, and no round trip is spent on a ping.
    """
    if connection.closed:
        raise DisconnectionError
    with _Selector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        if selector.select(0):
            raise DisconnectionError


_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _reset_read_only(connection: Any, _: object) -> None:
    """SQLAlchemy leaves `READ WRITE` behind after a read: it would overrule a server whose transactions are read-only by default."""
    if connection is not None and not connection.closed:
        connection.read_only = None
