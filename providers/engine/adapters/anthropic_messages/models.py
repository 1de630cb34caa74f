"""What Anthropic's models take, told by the version in their names.

Source: Anthropic, "Thinking", "Effort", "Structured outputs" and the overview of each model: up to
4.5 thinking has a budget of tokens, from 4.6 on it is adaptive and has an effort; from 4.7 on there
is no temperature and no top_p; Fable 5.1, the 5.5 models and later ones cannot be forced to call a
tool, and think always. JSON to a schema begins with 4.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Either claude-sonnet-4-5-20250929 or, before that, claude-3-7-sonnet-20250219.
_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?:-(\d{1,2}))?(?![\d])")
# A name of Claude's without one, such as a preview's.
_PREVIEW = (5, 0)
# Another maker's model on this wire, of which nothing is refused beforehand.
_STRANGER = (4, 6)
_ALWAYS_THINKING = frozenset({"fable", "mythos"})


@dataclass(frozen=True, slots=True)
class Model:
    """`version` is (major, minor)."""

    family: str
    version: tuple[int, int]

    @classmethod
    def of(cls, name: str) -> Model:
        found = _VERSION.search(name)
        if found is None:
            named = re.search(r"claude-([a-z]+)", name)
            return cls(named.group(1), _PREVIEW) if named else cls("", _STRANGER)
        family, major, minor = found.group(1), found.group(2), found.group(3)
        return cls(family or "", (int(major), int(minor or 0)))

    @property
    def thinks_by_budget(self) -> bool:
        return self.version < (4, 6)

    @property
    def thinks_always(self) -> bool:
        return self.family in _ALWAYS_THINKING or self.version >= (5, 5)

    @property
    def thinks_by_itself(self) -> bool:
        """Whether thinking is on where nothing is said of it."""
        return self.version >= (5, 0)

    @property
    def has_sampling(self) -> bool:
        return self.version < (4, 7)

    @property
    def can_be_forced(self) -> bool:
        first = (5, 1) if self.family in _ALWAYS_THINKING else (5, 5)
        return self.version < first

    @property
    def answers_to_schema(self) -> bool:
        return self.version >= (4, 5)
