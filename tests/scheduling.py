"""Which tests share a worker of xdist: those of a file, and those that share a slow server.

xdist's own groups travel in the id of a test, which pytest 9.2 no longer lets it change.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

_SHARE_A_SERVER = {
    "tests/browser/test_playground": "browser",
    "tests/browser/test_batches": "browser",
    "tests/journeys/gateway/test_gateway_shared_limits": "processes of its own",
    "tests/journeys/gateway/": "gateway",
}
_SLOW = ("tests/browser/", "tests/journeys/", "tests/gaiweb/test_up.py")


class ByServer(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return worker_group(nodeid)


def worker_group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((_SHARE_A_SERVER[name] for name in _SHARE_A_SERVER if file.startswith(name)), file)


def slow_first(items: list[Any]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_SLOW))
