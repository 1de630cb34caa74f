"""Which temperatures a deployment takes.

Source: Anthropic, "Create a Message" (0 to 1); OpenAI, "Create chat completion" (0 to 2) and
"Reasoning models" (only the default of 1); Google, "GenerationConfig" (0 to 2).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from providers.engine.routes import Deployment

Range = tuple[float, float]

WIDEST: Range = (0.0, 2.0)
_ANTHROPIC: Range = (0.0, 1.0)
_FIXED: Range = (1.0, 1.0)
_OPENAI = "api.openai.com"
_REASONING = re.compile(r"(?:o\d|gpt-5(?:-(?:mini|nano|pro|codex))?)(?:-mini|-pro)?(?:-20\d\d.*)?")


def temperatures(deployment: Deployment) -> Range:
    if deployment.kind == "anthropic_messages":
        return _ANTHROPIC
    is_openai = urlsplit(deployment.base_url).hostname == _OPENAI
    return _FIXED if is_openai and _REASONING.fullmatch(deployment.model) else WIDEST
