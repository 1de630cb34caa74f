"""The database that Django uses, for connections of our own and for reads from a thread."""

from __future__ import annotations

import asyncio
from typing import Any

from django.db import close_old_connections, connections
from psycopg.conninfo import make_conninfo


def conninfo() -> str:
    """Name the database that Django uses, for connections of our own."""
    database = connections["default"].settings_dict
    names = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user"}
    values = {ours: database[django] for django, ours in names.items() if database[django]}
    if database["PASSWORD"]:
        values["password"] = database["PASSWORD"]
    options = database.get("OPTIONS", {})
    values |= {name: value for name, value in options.items() if name.startswith("ssl")}
    return make_conninfo("", **values)


def closing(read: Any, *arguments: Any) -> Any:
    """Read through the ORM in a thread, and leave no connection behind."""
    close_old_connections()
    try:
        return read(*arguments)
    finally:
        connections.close_all()


async def in_thread(read: Any, *arguments: Any) -> Any:
    return await asyncio.to_thread(closing, read, *arguments)
