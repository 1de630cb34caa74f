"""Settings that come in groups: a provider's, the switches, the numbers of a call."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from gaiweb.config import checks


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Provider(Group):
    """A key here makes a read-only provider with `model` on the route `default`."""

    api_key: SecretStr | None = Field(
        None,
        description="Key; when set, the provider appears by itself.",
        json_schema_extra={"secret": True},
    )
    model: str = Field("", description="Model on the route `default`.", min_length=1)
    base_url: str = Field("", description="Address of the API.")
    organization: str | None = Field(
        None, description="Sent as the organisation, where it has one."
    )
    max_retries: int = Field(
        3, description="Attempts at one deployment, the first included.", ge=1, le=10
    )
    timeout: float = Field(60.0, description="Seconds for a whole plain answer.", gt=0, le=3600)
    rate_limit_rps: float = Field(
        10.0, description="Requests a second that we send.", gt=0, le=100_000
    )

    _check_base_url = field_validator("base_url")(checks.url_of("http", "https"))


def default_providers() -> dict[str, Provider]:
    """Defaults of the guide; the order is the order of fallback."""
    return {
        "openai": Provider(model="gpt-4o-mini", base_url="https://api.openai.com/v1"),
        "anthropic": Provider(model="claude-haiku-4-5", base_url="https://api.anthropic.com"),
        "groq": Provider(model="llama-3.1-8b-instant", base_url="https://api.groq.com/openai/v1"),
        "gemini": Provider(
            model="gemini-2.5-flash",
            base_url="https://generativelanguage.googleapis.com/v1beta",
        ),
        "ollama": Provider(model="llama3.2", base_url="http://127.0.0.1:11434"),
    }


class Features(Group):
    """Switches of the guide."""

    enable_tools: bool = Field(default=True, description="Callers may offer tools to a model.")
    enable_streaming: bool = Field(
        default=True, description="Callers of `/v1` may ask for a stream."
    )
    enable_multi_step: bool = Field(
        default=True, description="An answer may take several model steps: hosted tools run."
    )
    max_steps_per_user: int = Field(
        20, description="Most model steps of one answer, whatever it asks.", ge=1, le=1000
    )


def _quota(default: int | None, description: str) -> Any:
    return Field(default, description=description, ge=1, le=1_000_000_000)


class Callers(Group):
    """What each key, person and team may ask of us. Empty: no limit."""

    key_rpm: int | None = _quota(None, "Requests a minute of one key.")
    key_tpm: int | None = _quota(None, "Tokens a minute of one key.")
    key_parallel: int | None = _quota(1024, "Requests that one key may have open.")
    user_rpm: int | None = _quota(None, "Requests a minute of one person, all keys together.")
    user_tpm: int | None = _quota(None, "Tokens a minute of one person, all keys together.")
    user_parallel: int | None = _quota(None, "Requests that one person may have open.")
    team_rpm: int | None = _quota(None, "Requests a minute of one team.")
    team_tpm: int | None = _quota(None, "Tokens a minute of one team.")
    team_parallel: int | None = _quota(None, "Requests that one team may have open.")
    playground_parallel: int | None = _quota(
        64, "Prompts that one person may have open in the playground."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return None if value == "" else value


def _most(default: int, description: str, at_most: int) -> Any:
    return Field(default, description=description, ge=1, le=at_most)


class Prompts(Group):
    """How large a request may be. Tokens are estimated at four bytes each."""

    most_messages: int = _most(2_000, "Messages of one prompt.", 100_000)
    most_message_characters: int = _most(
        4_000_000, "Characters of text in one message.", 100_000_000
    )
    most_prompt_characters: int = _most(8_000_000, "Characters of text in one prompt.", 100_000_000)
    most_message_tokens: int = _most(1_000_000, "Estimated tokens of one message.", 100_000_000)
    most_prompt_tokens: int = _most(2_000_000, "Estimated tokens of one prompt.", 100_000_000)
    most_attachment_bytes: int = _most(15_000_000, "Bytes of one attachment, decoded.", 100_000_000)


class Batches(Group):
    """Batch jobs of the playground."""

    parallel: int = _most(4, "Prompts of batches that a worker asks at once.", 256)
    most_prompts: int = _most(5_000, "Prompts of one batch.", 100_000)
    most_bytes: int = _most(5_000_000, "Bytes of a file of prompts.", 100_000_000)


class Tracing(Group):
    """OpenTelemetry's own names where it has one; without an endpoint nothing is traced."""

    exporter_otlp_endpoint: str | None = Field(
        None, description="Where traces go, OTLP over HTTP; unset: tracing is off."
    )
    exporter_otlp_headers: SecretStr | None = Field(
        None,
        description="Headers for that address, as `name=value,name=value`.",
        json_schema_extra={"secret": True},
    )
    service_name: str = Field("gaiweb", description="Name in traces.", min_length=1)
    traces_sampler_arg: float = Field(
        0.05,
        description="Share of requests that are traced, unless a caller's own trace decides.",
        json_schema_extra={"live": True},
        ge=0,
        le=1,
    )

    _check_endpoint = field_validator("exporter_otlp_endpoint")(checks.url_of("http", "https"))

    @property
    def headers(self) -> dict[str, str]:
        told = self.exporter_otlp_headers
        words = told.get_secret_value() if told else ""
        pairs = (each.partition("=") for each in words.split(","))
        return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


class Calls(Group):
    """How a call behaves unless its deployment says otherwise; the numbers are the guide's."""

    connect_timeout_s: float = Field(
        10.0, description="Seconds to connect, TLS included.", gt=0, le=300
    )
    first_token_timeout_s: float = Field(
        30.0, description="Seconds until an answer's first content.", gt=0, le=3600
    )
    idle_timeout_s: float = Field(
        60.0, description="Seconds a stream may be silent between two tokens.", gt=0, le=3600
    )
    backoff_base_s: float = Field(
        1.0, description="First wait before a retry, seconds.", gt=0, le=300
    )
    backoff_max_s: float = Field(
        30.0, description="Longest wait before a retry, seconds.", gt=0, le=3600
    )
    retry_budget: float = Field(
        0.2, description="Retries of a deployment, at most this share of its calls.", ge=0, le=10
    )
    retry_budget_least: int = Field(
        10, description="Retries a minute that are allowed anyway.", ge=0, le=100_000
    )
    rate_limit_burst: int = Field(
        20, description="Requests that may leave at once.", ge=1, le=100_000
    )
    breaker_threshold: int = Field(
        5, description="Failures in a row that rest a deployment.", ge=1, le=1000
    )
    breaker_reset_s: float = Field(30.0, description="Seconds a deployment rests.", gt=0, le=3600)
    breaker_probes: int = Field(
        5, description="Calls a half-open breaker admits at once.", ge=1, le=100
    )
    breaker_successes: int = Field(3, description="Successes that close it again.", ge=1, le=100)
    breaker_longest_rest_s: float = Field(
        600.0, description="Longest rest; each further one doubles, seconds.", gt=0, le=86_400
    )
    breaker_error_rate: float = Field(
        0.5, description="Share of failures that also rests it, 0 to 1.", gt=0, le=1
    )
    breaker_volume: int = Field(
        20, description="Fewest results from which that share is taken.", ge=1, le=1_000_000
    )
    breaker_window_s: float = Field(
        60.0, description="Seconds over which that share is taken.", ge=1, le=3600
    )

    @field_validator("backoff_max_s")
    @classmethod
    def _above_base(cls, longest: float, info: ValidationInfo) -> float:
        if longest < info.data.get("backoff_base_s", 0):
            raise ValueError("is less than GAIWEB_BACKOFF_BASE_S; raise it or lower the other")
        return longest

    @field_validator("breaker_successes")
    @classmethod
    def _within_probes(cls, successes: int, info: ValidationInfo) -> int:
        if successes > info.data.get("breaker_probes", successes):
            raise ValueError("is more than GAIWEB_BREAKER_PROBES, so the breaker could never close")
        return successes


class Cache(Group):
    """The response cache. One tier is this process's memory, the other Redis, else Postgres."""

    local: bool = Field(
        default=True,
        description="Keep answers in each process's memory.",
        json_schema_extra={"live": False},
    )
    shared: bool = Field(
        default=True,
        description="Keep answers in Redis, without it in Postgres; encrypted.",
        json_schema_extra={"live": False},
    )
    ttl_s: float = Field(
        3600.0, description="Seconds for which an answer is given again.", gt=0, le=2_592_000
    )
    stale_ttl_s: float = Field(
        86_400.0,
        description="Seconds for which it is kept for an emergency.",
        gt=0,
        le=2_592_000,
    )
    local_bytes: int = Field(
        67_108_864, description="Most bytes in each process's memory.", ge=65_536
    )
    shared_bytes: int = Field(
        1_073_741_824,
        description="Most bytes in Postgres; Redis has its own `maxmemory`.",
        ge=65_536,
    )
    compression_level: int = Field(
        3,
        description="Zstandard's, of the shared tier: 1 is fast, 19 small.",
        json_schema_extra={"live": False},
        ge=1,
        le=19,
    )

    @field_validator("stale_ttl_s")
    @classmethod
    def _not_below_ttl(cls, longest: float, info: ValidationInfo) -> float:
        if longest < info.data.get("ttl_s", 0):
            raise ValueError("is less than GAIWEB_CACHE_TTL_S; raise it or lower the other")
        return longest


class Embeddings(Group):
    """How texts of several callers travel together."""

    batch_size: int = Field(64, description="Most texts of one request for vectors.", ge=1, le=2048)
    wait_s: float = Field(
        0.005, description="Seconds that a text waits for others, at most.", ge=0, le=1
    )
    in_flight: int = Field(
        8,
        description="Requests for vectors under way at once, in each process.",
        json_schema_extra={"live": False},
        ge=1,
        le=1000,
    )


class Credentials(Group):
    """Keys of providers that are kept here."""

    remind_after_days: int = Field(
        90, description="Age in days from which a provider's key is named as due.", ge=1, le=3650
    )
