"""Settings of the health score, and of what the installation does when it is low."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from gaiweb.config.groups import Group


class Health(Group):
    """How often and over what the score is taken; weights are points of 100."""

    every_s: float = Field(
        5.0, description="Seconds between two judgements of health.", ge=0.2, le=300
    )
    window_s: float = Field(
        300.0, description="Seconds of traffic that a health score looks back on.", ge=2, le=3600
    )
    few: int = Field(
        20, description="Less samples than this take nothing from the system.", ge=1, le=10_000
    )
    capacity: int = Field(
        1000, description="Calls at once that fill this installation.", ge=1, le=1_000_000
    )
    kept_days: int = Field(
        90, description="Days that scores, levels and transitions are kept.", ge=1, le=3650
    )
    weight_error: float = Field(
        3.0, description="Points for each percent of provider errors.", ge=0, le=100
    )
    weight_limit: float = Field(
        1.0, description="Points for each percent of limit errors.", ge=0, le=100
    )
    weight_repaired: float = Field(
        1.0,
        description="Points of the system for each percent of attempts that failed.",
        ge=0,
        le=100,
    )
    weight_latency: float = Field(
        5.0, description="Points for each time the usual first token.", ge=0, le=100
    )
    weight_open: float = Field(40.0, description="Points for an open breaker.", ge=0, le=100)
    weight_half_open: float = Field(
        15.0, description="Points for a half-open breaker.", ge=0, le=100
    )
    weight_saturation: float = Field(
        30.0, description="Points for a full installation or a spent rate limit.", ge=0, le=100
    )
    weight_database: float = Field(
        30.0, description="Points for a database that takes a second.", ge=0, le=100
    )
    weight_cache: float = Field(10.0, description="Points while Redis is away.", ge=0, le=100)


class Degradation(Group):
    """The guide's ladder. A level applies below its score, 0 to 1."""

    automatic: bool = Field(default=True, description="The score sets the level by itself.")
    simplified_below: float = Field(
        0.9, description="Score below which tools are off and answers short.", ge=0, le=1
    )
    essential_below: float = Field(
        0.7, description="Score below which answers are shorter and not streamed.", ge=0, le=1
    )
    emergency_below: float = Field(
        0.5, description="Score below which only saved answers are given.", ge=0, le=1
    )
    margin: float = Field(
        0.03, description="How far above its limit a score must be to leave a level.", ge=0, le=0.5
    )
    dwell_s: float = Field(
        30.0, description="Least seconds at a level before a better one.", ge=0, le=3600
    )
    simplified_tokens: int = Field(
        500, description="Most output tokens at the simplified level.", ge=1, le=1_000_000
    )
    essential_tokens: int = Field(
        200, description="Most output tokens at the essential level.", ge=1, le=1_000_000
    )
    fast_route: str = Field(
        "groq/llama-3.1-8b-instant",
        description="Route or `provider/model` preferred below full, if it is healthy.",
        max_length=300,
    )
    retry_after_s: int = Field(
        30, description="Seconds after which a refused caller is told to ask again.", ge=1, le=3600
    )

    @field_validator("essential_below", "emergency_below")
    @classmethod
    def _in_order(cls, limit: float, info: ValidationInfo) -> float:
        above = "simplified_below" if info.field_name == "essential_below" else "essential_below"
        if limit > info.data.get(above, limit):
            name = f"GAIWEB_DEGRADATION_{above.upper()}"
            raise ValueError(f"is more than {name}; a lower level must begin below a higher one")
        return limit

    @field_validator("essential_tokens")
    @classmethod
    def _shorter(cls, tokens: int, info: ValidationInfo) -> int:
        if tokens > info.data.get("simplified_tokens", tokens):
            raise ValueError("is more than GAIWEB_DEGRADATION_SIMPLIFIED_TOKENS")
        return tokens
