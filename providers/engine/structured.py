"""Answers that must be JSON: how a model is asked for it, and what its words are worth.

Only syntax is repaired: a code fence, prose around it, a comma before a closing bracket. A value is
never made up, completed or converted, and a text that was cut is not JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import orjson

from providers.engine import json_schema
from providers.engine.request import Message, ResponseSchema, Role

_ASK = (
    "Answer with one JSON value and nothing else: no prose, no code fence. "
    "It must fit this JSON Schema:\n"
)
_ASK_ANY = "Answer with one JSON object and nothing else: no prose, no code fence."
_ANY_OBJECT = {"type": "object"}
# A string is passed over whole; a comma outside of one goes where only a bracket follows.
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_MOST_STARTS = 50


@dataclass(frozen=True, slots=True)
class Read:
    """`text` is the JSON as the model wrote it; empty where there is none.

    `faults` empty: it fits the schema. `was_repaired`: something around it or a comma was dropped.
    """

    text: str
    faults: tuple[str, ...]
    was_repaired: bool = False


def read(text: str, wanted: ResponseSchema) -> Read:
    schema = _ANY_OBJECT if wanted.schema is None else wanted.schema
    found = [candidate for candidate in _candidates(text) if candidate[1] is not _NOTHING]
    for candidate, value in found:
        faults = json_schema.faults(schema, value)
        if not faults:
            return Read(candidate, (), was_repaired=candidate != text.strip())
    if not found:
        return Read("", ("$: it is not JSON",))
    candidate, value = found[0]
    return Read(candidate, tuple(json_schema.faults(schema, value)))


def instructions(wanted: ResponseSchema) -> str:
    """Words for a model that has no such thing of its own."""
    if wanted.schema is None:
        return _ASK_ANY
    return _ASK + orjson.dumps(wanted.schema).decode()


def corrections(faults: tuple[str, ...], wanted: ResponseSchema) -> Message:
    """Tell a model what does not fit, and ask again."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    return Message.of(Role.USER, f"Your answer does not fit:\n{listed}\n{instructions(wanted)}")


_NOTHING = object()


def _candidates(text: str) -> Iterator[tuple[str, object]]:
    """Try the text itself, then each object or list in it, each without commas too many."""
    whole = text.strip()
    yield whole, _parsed(whole)
    bare = _TRAILING_COMMA.sub(r"\1", whole)
    yield bare, _parsed(bare)
    place = 0
    for _ in range(_MOST_STARTS):
        start = next((at for at in range(place, len(bare)) if bare[at] in "{["), None)
        if start is None:
            return
        try:
            value, place = _DECODER.raw_decode(bare, start)
        except json.JSONDecodeError as error:
            if bare[start + 1 : error.pos].strip():
                # Broken or cut JSON: what stands within it is a part of an answer, not one.
                return
            place = start + 1
        except (ValueError, RecursionError):
            return
        else:
            yield bare[start:place], value


def _parsed(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _NOTHING


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
