"""Well-known vendors and servers: where they are, which wire they speak, what they do otherwise.

A vendor more is an entry more; its quirks are options that its adapter reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from providers.engine.routes import KINDS, Ability


@dataclass(frozen=True, slots=True)
class Preset:
    """`kind` is the adapter's. `is_local`: its usual address is in one's own network.

    `lacks` is what none of its models can do, whatever their names.
    """

    label: str
    kind: str
    base_url: str
    needs_key: bool = True
    is_local: bool = False
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    lacks: frozenset[Ability] = frozenset()


def _chat(label: str, base_url: str, *lacks: Ability, **options: str) -> Preset:
    return Preset(label, "openai_chat", base_url, options=options, lacks=frozenset(lacks))


def _local(label: str, base_url: str, **options: str) -> Preset:
    return Preset(label, "openai_chat", base_url, needs_key=False, is_local=True, options=options)


PRESETS: Mapping[str, Preset] = {
    # Source: OpenAI, API reference: reasoning models take the newer name and role only.
    "openai": _chat(
        "OpenAI",
        "https://api.openai.com/v1",
        max_tokens_field="max_completion_tokens",
        developer_role="on",
        refusals="on",
    ),
    "anthropic": Preset(
        "Anthropic",
        "anthropic_messages",
        "https://api.anthropic.com",
        lacks=frozenset({Ability.AUDIO}),
    ),
    # Source: Groq, "OpenAI Compatibility" and "Reasoning"; `max_tokens` is deprecated there.
    "groq": _chat(
        "Groq",
        "https://api.groq.com/openai/v1",
        max_tokens_field="max_completion_tokens",
        efforts="none,low,medium,high",
    ),
    # Source: OpenRouter, "Reasoning Tokens" and "PDF inputs".
    "openrouter": _chat(
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        effort_field="reasoning",
        reasoning_replay="reasoning_details",
        file_part="url",
    ),
    "together": _chat("Together AI", "https://api.together.xyz/v1"),
    "fireworks": _chat("Fireworks AI", "https://api.fireworks.ai/inference/v1"),
    # Source: DeepSeek, "Thinking Mode" and "JSON Output".
    "deepseek": _chat(
        "DeepSeek",
        "https://api.deepseek.com",
        Ability.JSON,
        max_tokens_field="max_tokens",
        reasoning_replay="reasoning_content",
        json="object",
        effort_none="thinking_disabled",
    ),
    # Source: xAI, "Chat completions" and "Reasoning".
    "xai": _chat(
        "xAI",
        "https://api.x.ai/v1",
        max_tokens_field="max_completion_tokens",
        efforts="none,low,medium,high",
    ),
    # Source: Mistral, API reference; a field that it does not know is an error of 422.
    "mistral": _chat(
        "Mistral",
        "https://api.mistral.ai/v1",
        max_tokens_field="max_tokens",
        stream_options="off",
        seed_field="random_seed",
        file_part="document_url",
        efforts="none,high",
    ),
    "ollama": Preset("Ollama", "ollama", "http://127.0.0.1:11434", needs_key=False, is_local=True),
    # Source: vLLM, "OpenAI-Compatible Server".
    "vllm": _local("vLLM", "http://localhost:8000/v1"),
    # Source: llama.cpp, server README; a named tool_choice is read as `auto` there.
    "llamacpp": _local("llama.cpp", "http://localhost:8080/v1", tool_choice="unnamed"),
    # Source: LM Studio, "Structured Output": `json_object` is refused.
    "lmstudio": _local("LM Studio", "http://localhost:1234/v1", json="schema"),
}

_DEFAULTS = {
    "openai_chat": "openai",
    "anthropic_messages": "anthropic",
    "ollama": "ollama",
}


def choices() -> list[str]:
    """List what an operator may name: wire formats first, then presets."""
    return [*KINDS, *(name for name in PRESETS if name not in KINDS)]


def kind_of(choice: str) -> str:
    """Answer the adapter of a wire format or a preset."""
    return choice if choice in KINDS else PRESETS[choice].kind


def preset_of(name: str, kind: str, base_url: str) -> Preset:
    """Find the preset by its name; without one by its address; else the bare wire format.

    `base_url` empty: the address that most people want of this kind.
    """
    if name in PRESETS:
        return PRESETS[name]
    if not base_url and kind in _DEFAULTS:
        return PRESETS[_DEFAULTS[kind]]
    host = _host(base_url)
    for preset in PRESETS.values():
        if preset.kind == kind and not preset.is_local and host == _host(preset.base_url):
            return preset
    bare = KINDS[kind]
    return Preset(bare.label, kind, bare.base_url, needs_key=bare.needs_key)


def _host(base_url: str) -> str:
    try:
        return urlsplit(base_url).hostname or ""
    except ValueError:
        return ""
