"""docs/errors.md, written from the engine's table by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "errors.md"

_HEAD = """# Errors

Made by `make docs` from `providers/engine/codes.py`.

`code` is what `/api/v1` and its `error.code` carry; `ours` is what the ledger, the metrics and the
health page keep. `again`: the same request can succeed later; how long to wait is in `retry-after`.
`/v1` speaks OpenAI's `type` and `code` with the path of the faulty field in `param`. An error that
is not in this table is ours, `INTERNAL_ERROR`, not to be repeated, and shows nothing of its inside.
A message never holds a prompt, an answer or a secret; `CONTENT_POLICY_VIOLATION` names categories
and places.

| code | ours | what happened | whose doing | again | HTTP | OpenAI type, code | Anthropic type |
|---|---|---|---|---|---|---|---|
"""


def rendered() -> str:
    from providers.engine.codes import TABLE, Row
    from providers.engine.errors import EngineError

    def line(kind: type[EngineError], row: Row) -> str:
        code = f"`{row.openai_code}`" if row.openai_code else "null"
        again = "yes" if kind.may_retry else "no"
        return (
            f"| `{row.guide}` | `{kind.code}` | {row.title} | {row.fault} | {again} "
            f"| {row.status} | `{row.openai_type}`, {code} | `{row.anthropic_type}` |"
        )

    lines = [line(kind, row) for kind, row in TABLE.items()]
    return _HEAD + "\n".join(dict.fromkeys(lines)) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PLACE.write_text(rendered())
