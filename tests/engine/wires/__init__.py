"""Each wire's own way to say one and the same answer, and to fail; `Wire` tells what.

No 429 or 529 of Anthropic and no 429 of OpenAI were ever recorded: those bodies are made by hand
from the error pages of their documentation, here as in `recorded/`.
"""

from tests.engine.wires import anthropic_messages, gemini, ollama, openai_chat, openai_responses

WIRES = (
    openai_chat.WIRE,
    anthropic_messages.WIRE,
    gemini.WIRE,
    openai_responses.WIRE,
    ollama.WIRE,
)
