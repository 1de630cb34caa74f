"""How a server departs from OpenAI's own wire, read from a deployment's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from providers.engine.request import Effort


@dataclass(frozen=True, slots=True)
class Quirks:
    """Each field stands for the option of its name; presets set them, see `presets`.

    `max_tokens_field`: how the limit is called; empty: as the caller calls it, else `max_tokens`.
    `stream_options`: `off` where asking for usage is refused.
    `developer_role`: `on` where it is known, elsewhere it becomes the system's.
    `refusals`: `on` where a refusal has a field of its own, elsewhere it is text.
    `reasoning_replay`: the field in which thoughts are sent back: `reasoning_content`, `reasoning`
    or `reasoning_details`; `off`: they stay here.
    `json`: `object` or `schema` where only that one is known, else `both`.
    `effort_field`: `reasoning` takes an object with the effort, as OpenRouter does.
    `efforts`: the levels that are known, with commas; empty: all of ours.
    `effort_none`: `thinking_disabled` where a field of its own switches thinking off.
    `seed_field`: what the seed is called.
    `tool_choice`: `unnamed` where a name is not understood; then only that tool is sent.
    `file_part`: `document_url` as Mistral has it; `url` where a file may be an address.
    """

    max_tokens_field: str = ""
    stream_options: str = "on"
    developer_role: str = "off"
    refusals: str = "off"
    reasoning_replay: str = "off"
    json: str = "both"
    effort_field: str = "reasoning_effort"
    efforts: str = ""
    effort_none: str = ""
    seed_field: str = "seed"
    tool_choice: str = "named"
    file_part: str = "file"

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Quirks:
        return _of(tuple(options.items()))

    def nearest(self, wanted: Effort) -> str:
        """Choose the level that is closest to the wanted one; the lower of two equals."""
        levels = list(Effort)
        known = [level for level in levels if not self.efforts or level in self.efforts.split(",")]
        if wanted is not Effort.NONE:
            known = [level for level in known if level is not Effort.NONE] or known
        place = levels.index(wanted)
        return str(min(known, key=lambda level: abs(levels.index(level) - place)))


@lru_cache(maxsize=512)
def _of(options: tuple[tuple[str, str], ...]) -> Quirks:
    return Quirks(**{name: value for name, value in options if name in Quirks.__slots__})
