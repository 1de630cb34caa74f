"""What providers publish, typed from their price pages as genai-prices 0.2.3 tells them.

Dollars per million tokens, as strings: input, output, and what differs from them. Pages:
https://www.anthropic.com/pricing#api https://developers.openai.com/api/docs/pricing
https://ai.google.dev/gemini-api/docs/pricing https://api-docs.deepseek.com/quick_start/pricing
https://console.groq.com/docs/models https://mistral.ai/pricing/api
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tests.engine.adapters.recorded.said import Counts


@dataclass(frozen=True)
class Rates:
    """`searches` for a thousand. `beyond`: so many input tokens, then `long` for all tokens."""

    input: str
    output: str = "0"
    read: str | None = None
    write: str | None = None
    write_1h: str | None = None
    audio: str | None = None
    searches: str = "0"
    beyond: int | None = None
    long: Rates | None = None


@dataclass(frozen=True)
class Used:
    """What a body says, with what only some tell."""

    counts: Counts
    written_1h: int = 0
    audio: int = 0
    searches: int = 0


def cost_nano(rates: Rates, used: Used) -> int:
    """Weigh in fractions; one rounding at the end, half up."""
    counts = used.counts
    if rates.long is not None and rates.beyond is not None and counts.input > rates.beyond:
        return cost_nano(rates.long, used)
    written_5m = counts.cache_write - used.written_1h
    plain = counts.input - counts.cache_read - counts.cache_write - used.audio
    dollars = (
        Fraction(rates.input) * plain
        + Fraction(rates.audio or rates.input) * used.audio
        + Fraction(rates.read or rates.input) * counts.cache_read
        + Fraction(rates.write or rates.input) * written_5m
        + Fraction(rates.write_1h or rates.write or rates.input) * used.written_1h
        + Fraction(rates.output) * counts.output
    ) / 1_000_000 + Fraction(rates.searches) * used.searches / 1_000
    return int(dollars * 1_000_000_000 + Fraction(1, 2))


_SONNET = Rates("3", "15", "0.3", "3.75", "6", searches="10")
_OPUS = Rates("5", "25", "0.5", "6.25", "10", searches="10")
_GEMINI_2_FLASH = Rates("0.1", "0.4", "0.025", audio="0.7", searches="35")
_GEMINI_EMBEDDING = Rates("0.2", audio="6.5")

ANTHROPIC = {
    "claude-3-5-sonnet-20240620": _SONNET,
    "claude-3-7-sonnet-20250219": _SONNET,
    "claude-3-haiku-20240307": Rates("0.25", "1.25", "0.03", "0.3", "0.5"),
    "claude-fable-5": Rates("10", "50", "1", "12.5", "20", searches="10"),
    "claude-haiku-4-5-20251001": Rates("1", "5", "0.1", "1.25", "2", searches="10"),
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-sonnet-4-0": _SONNET,
    "claude-sonnet-4-5": Rates(
        "3",
        "15",
        "0.3",
        "3.75",
        "6",
        searches="10",
        beyond=200_000,
        long=Rates("6", "22.5", "0.6", "7.5", "12", searches="10"),
    ),
    "claude-sonnet-4-6": _SONNET,
}
GOOGLE = {
    "gemini-2.0-flash": _GEMINI_2_FLASH,
    "gemini-2.0-flash-exp": _GEMINI_2_FLASH,
    "gemini-2.5-flash": Rates("0.3", "2.5", "0.03", audio="1", searches="35"),
    "gemini-3-flash-preview": Rates("0.5", "3", "0.05", audio="1", searches="14"),
    "gemini-2.5-pro-preview-05-06": Rates(
        "1.25",
        "10",
        "0.125",
        searches="35",
        beyond=200_000,
        long=Rates("2.5", "15", "0.25", searches="35"),
    ),
    "gemini-embedding-2": _GEMINI_EMBEDDING,
    "gemini-embedding-2-preview": _GEMINI_EMBEDDING,
}
OPENAI = {
    "gpt-3.5-turbo": Rates("0.5", "1.5"),
    "gpt-4": Rates("30", "60"),
    "gpt-4o": Rates("2.5", "10", "1.25", searches="10"),
    "gpt-4o-mini": Rates("0.15", "0.6", "0.075", searches="10"),
    "gpt-4.1": Rates("2", "8", "0.5", searches="10"),
    "gpt-4.1-mini": Rates("0.4", "1.6", "0.1", searches="10"),
    "gpt-4.1-nano": Rates("0.1", "0.4", "0.025"),
    "o3-mini": Rates("1.1", "4.4", "0.55"),
    "gpt-5": Rates("1.25", "10", "0.125", searches="10"),
    "gpt-5-mini": Rates("0.25", "2", "0.025", searches="10"),
    "gpt-5.2": Rates("1.75", "14", "0.175", searches="10"),
    "gpt-5.4": Rates(
        "2.5",
        "15",
        "0.25",
        searches="10",
        beyond=272_000,
        long=Rates("5", "22.5", "0.5", searches="10"),
    ),
    "gpt-5.5": Rates(
        "5",
        "30",
        "0.5",
        searches="10",
        beyond=272_000,
        long=Rates("10", "45", "1", searches="10"),
    ),
    "gpt-5.6": Rates(
        "4",
        "20",
        "0.4",
        "5",
        searches="10",
        beyond=272_000,
        long=Rates("8", "30", "0.8", "10", searches="10"),
    ),
    "text-embedding-3-small": Rates("0.02"),
}
DEEPSEEK = {
    # At noon of UTC, in the hours of its plain price.
    "deepseek-v4-flash": Rates("0.15", "0.6", "0.003"),
}
GROQ = {
    "openai/gpt-oss-120b": Rates("0.15", "0.6", "0.075"),
    "meta-llama/llama-4-maverick-17b-128e-instruct": Rates("0.2", "0.6"),
    "qwen/qwen3-32b": Rates("0.29", "0.59"),
}
MISTRAL = {
    "mistral-large-latest": Rates("2", "6"),
    "mistral-medium-latest": Rates("1.5", "7.5", "0.15"),
    "mistral-small-latest": Rates("0.15", "0.6", "0.015"),
    "ministral-8b-latest": Rates("0.15", "0.15", "0.015"),
    "mistral-tiny": Rates("0.25", "0.25"),
}
PUBLISHED = {
    "api.anthropic.com": ANTHROPIC,
    "generativelanguage.googleapis.com": GOOGLE,
    "api.openai.com": OPENAI,
    "api.deepseek.com": DEEPSEEK,
    "api.groq.com": GROQ,
    "api.mistral.ai": MISTRAL,
}
