"""Every setting with its type, default, bounds and meaning; one field is one name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gaiweb.config import checks, names
from gaiweb.config.groups import (
    Batches,
    Cache,
    Callers,
    Calls,
    Credentials,
    Embeddings,
    Features,
    Prompts,
    Provider,
    Tracing,
    default_providers,
)
from gaiweb.config.health import Degradation, Health
from gaiweb.config.providers import PROVIDER_KINDS, EnvironmentProvider, provider_of
from gaiweb.config.sight import look
from gaiweb.config.told import Alerts, Email

BASE_DIR = Path(__file__).resolve().parent.parent.parent

Words = Annotated[tuple[str, ...], BeforeValidator(checks.split_list)]


def _setting(env: str, default: Any, meaning: str, **more: Any) -> Any:
    """Declare one setting; `secret` and `default_in_words` are for the masks and the tables.

    `live`: whoever uses it follows when it changes, see `gaiweb.hot_reload`.
    """
    extra = {"env": env, **{key: more.pop(key) for key in _EXTRA if key in more}}
    # A default is typed as the field is, so that callers need no Optional.
    return Field(default, description=meaning, json_schema_extra=extra, **more)


def _secret(env: str, default: Any, meaning: str, **more: Any) -> Any:
    return _setting(env, default, meaning, secret=True, repr=False, **more)


def _group(prefix: str, default: Any, *, live: bool = False) -> Any:
    extra: Any = {"prefix": prefix, "live": live}
    return Field(default_factory=lambda: default, json_schema_extra=extra)


_EXTRA = ("secret", "default_in_words", "live")
_PROVIDERS = default_providers()


class Config(BaseSettings):
    """What `settings.GAIWEB` is. Durations in seconds; read-only once loaded."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Literal["development", "test", "staging", "production"] = _setting(
        "ENVIRONMENT", "development", "Where this runs; in staging and production logs are JSON."
    )
    host: str = _setting("HOST", "127.0.0.1", "Address on which `make run` listens.")
    port: int = _setting("PORT", 8000, "Port on which `make run` listens.", ge=1, le=65535)
    public_url: str = _setting(
        "GAIWEB_PUBLIC_URL",
        "",
        "Address people type; links, cookies and CSRF follow it.",
        default_in_words="http://HOST:PORT",
    )
    allowed_hosts: Words = _setting(
        "ALLOWED_HOSTS",
        (),
        "Host names that pages answer to, split by commas.",
        default_in_words="localhost, loopback, HOST and the public URL's",
    )
    trusted_proxies: Words = _setting(
        "GAIWEB_TRUSTED_PROXIES",
        (),
        "Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` count.",
    )
    data_dir: Path = _setting(
        "GAIWEB_DATA_DIR",
        BASE_DIR / ".gaiweb",
        "Where everything lives that must be kept.",
        default_in_words=".gaiweb in the checkout",
    )
    database_url: str = _secret(
        "DATABASE_URL",
        "",
        "A Postgres server to use, as `postgres://user:password@host:port/name`.",
        default_in_words="the embedded Postgres",
    )
    database_pool: int = _setting(
        "GAIWEB_DATABASE_POOL", 16, "Most connections a process opens for pages.", ge=2, le=1000
    )
    redis_url: str | None = _secret(
        "REDIS_URL",
        None,
        "Redis: shares breakers and limits; the broker too when `CELERY_BROKER_URL` is unset.",
    )
    celery_broker_url: str | None = _secret(
        "CELERY_BROKER_URL",
        None,
        "Celery's broker, Redis or RabbitMQ.",
        default_in_words="files in the data directory",
    )
    secret_key: SecretStr = _secret(
        "SECRET_KEY",
        SecretStr(""),
        "Signs sessions and links, and keys the digests of virtual keys.",
        default_in_words="generated once into the data directory",
    )
    key_ring: SecretStr = _secret(
        "GAIWEB_KEY_RING",
        SecretStr(""),
        "Seals provider keys: `name:base64 of 32 bytes`, several by commas, the first seals.",
        default_in_words="generated once into the data directory",
    )
    metrics_token: SecretStr | None = _secret(
        "GAIWEB_METRICS_TOKEN",
        None,
        "Bearer token that opens `/metrics` beyond this machine.",
        live=True,
    )
    drain_limit_s: int = _setting(
        "GAIWEB_DRAIN_LIMIT_S", 30, "How long open streams may finish at shutdown.", ge=1, le=3600
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "GAIWEB_LOG_LEVEL", "INFO", "Least severe log line that is written.", live=True
    )
    config_path: Path | None = _setting(
        "CONFIG_PATH", None, "A YAML or TOML file with any of these settings."
    )

    openai: Provider = _group("OPENAI_", _PROVIDERS["openai"], live=True)
    anthropic: Provider = _group("ANTHROPIC_", _PROVIDERS["anthropic"], live=True)
    groq: Provider = _group("GROQ_", _PROVIDERS["groq"], live=True)
    gemini: Provider = _group("GEMINI_", _PROVIDERS["gemini"], live=True)
    ollama: Provider = _group("OLLAMA_", _PROVIDERS["ollama"], live=True)
    features: Features = _group("FEATURE_", Features(), live=True)
    calls: Calls = _group("GAIWEB_", Calls(), live=True)
    callers: Callers = _group("GAIWEB_", Callers(), live=True)
    cache: Cache = _group("GAIWEB_CACHE_", Cache(), live=True)
    embeddings: Embeddings = _group("GAIWEB_EMBEDDINGS_", Embeddings(), live=True)
    batches: Batches = _group("GAIWEB_BATCH_", Batches(), live=True)
    tracing: Tracing = _group("OTEL_", Tracing())
    traced_providers: Words = _setting(
        "GAIWEB_TRACED_PROVIDERS",
        (),
        "Providers whose attempts get spans; empty: all.",
        live=True,
    )
    health: Health = _group("GAIWEB_HEALTH_", Health(), live=True)
    credentials: Credentials = _group("GAIWEB_CREDENTIALS_", Credentials(), live=True)
    email: Email = _group("GAIWEB_EMAIL_", Email(), live=True)
    alerts: Alerts = _group("GAIWEB_ALERTS_", Alerts(), live=True)
    degradation: Degradation = _group("GAIWEB_DEGRADATION_", Degradation(), live=True)
    prompts: Prompts = _group("GAIWEB_", Prompts(), live=True)
    allowed_roles: Words = _setting(
        "GAIWEB_ALLOWED_ROLES",
        checks.ROLES,
        "Roles that messages of callers may have.",
        default_in_words="system, developer, user, assistant, tool",
        live=True,
    )
    pii_phone_regions: Words = _setting(
        "GAIWEB_PII_PHONE_REGIONS",
        ("US",),
        "Countries whose telephone numbers the content filters know without their code.",
        default_in_words="US",
        live=True,
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    _check_public_url = field_validator("public_url")(checks.public_url)
    _check_database = field_validator("database_url")(checks.url_of("postgres", "postgresql"))
    _check_redis = field_validator("redis_url")(checks.url_of("redis", "rediss", "unix"))
    _check_broker = field_validator("celery_broker_url")(
        checks.url_of("redis", "rediss", "amqp", "amqps", "filesystem", "memory")
    )
    _check_proxies = field_validator("trusted_proxies")(checks.networks)
    _check_secret_key = field_validator("secret_key")(checks.long_enough(32))
    _check_token = field_validator("metrics_token")(checks.long_enough(16))
    _check_roles = field_validator("allowed_roles")(checks.roles)
    _check_regions = field_validator("pii_phone_regions")(checks.regions)
    _check_ring = field_validator("key_ring")(checks.key_ring)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `sources.read` found and nothing else: it knows where each value came from."""
        return (init_settings,)

    def note_sources(self, sources: dict[str, str]) -> None:
        # A new dictionary: a copy shares its private attributes with what it was made from.
        self._sources = {**self._sources, **sources}

    def source(self, name: str) -> str:
        """Where the value of `name` came from: environment, a file's path, generated, default."""
        return self._sources.get(name, "default")

    def entries(self) -> list[tuple[names.Declared, str, str]]:
        """List every setting with its value in words, secrets masked, and its source."""
        return [(entry, self._shown(entry), self.source(entry.name)) for entry in _declared()]

    def value(self, entry: names.Declared) -> Any:
        found: Any = self
        for step in entry.path:
            found = getattr(found, step)
        return found

    def with_values(self, source: str, **values: Any) -> Self:
        """Return the same with fields filled in that nobody had set."""
        copy = self.model_copy(update=values)
        wanted = {entry.name for entry in _declared() if entry.path[0] in values}
        copy.note_sources(dict.fromkeys(wanted, source))
        return copy

    def providers_from_environment(self) -> list[EnvironmentProvider]:
        """List read-only providers, in the order in which they stand in for each other."""
        return [
            provider_of(name, getattr(self, name)) for name in PROVIDER_KINDS if self._names(name)
        ]

    def _names(self, provider: str) -> bool:
        # Ollama needs no key, so its address or model is what tells that it is wanted.
        asked = ("OLLAMA_BASE_URL", "OLLAMA_MODEL") if provider == "ollama" else ()
        has_key = getattr(self, provider).api_key is not None
        return has_key or any(self.source(name) != "default" for name in asked)

    @property
    def version_on_disk(self) -> str:
        """Name the content that the settings file has now, see `sight`; empty without a file."""
        return look(self.config_path).version if self.config_path else ""

    @property
    def has_embedded_postgres(self) -> bool:
        return self.source("DATABASE_URL") in {"default", "embedded"}

    @property
    def key_ring_file(self) -> Path | None:
        """Where the ring was generated, and may gain a key while this runs; None: it was given."""
        is_ours = self.source("GAIWEB_KEY_RING") == "generated"
        return self.data_dir / "key_ring" if is_ours else None

    @property
    def is_https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @property
    def broker_url(self) -> str:
        return self.celery_broker_url or self.redis_url or "filesystem://"

    def _shown(self, entry: names.Declared) -> str:
        value = self.value(entry)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is None or value in {"", ()}:
            return ""
        if entry.is_secret:
            return checks.masked(str(value))
        return ", ".join(value) if isinstance(value, tuple) else str(value)


def _declared() -> list[names.Declared]:
    return names.declared(Config)


def embedded_url(socket_dir: Path) -> str:
    return f"postgres://postgres@{quote(str(socket_dir), safe='')}/gaiweb"
