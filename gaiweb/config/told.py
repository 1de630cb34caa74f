"""Settings of what people and programs are told outside the pages: e-mail and a webhook."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from gaiweb.config import checks
from gaiweb.config.groups import Group


class Email(Group):
    """A server that takes e-mail. Without a host nothing is sent."""

    host: str | None = Field(None, description="SMTP server; unset: no e-mail is sent.")
    port: int = Field(587, description="Its port.", ge=1, le=65535)
    user: str | None = Field(None, description="Name to sign in with, where it asks.")
    password: SecretStr | None = Field(
        None, description="Password of that name.", json_schema_extra={"secret": True}
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How it is encrypted: `starttls`, `tls` or `none`."
    )
    sender: str | None = Field(None, description="Address that mail comes from.")

    @field_validator("sender")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and "@" not in value:
            raise ValueError("is not an address such as gai@example.com")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("GAIWEB_EMAIL_HOST needs GAIWEB_EMAIL_SENDER beside it")
        return self


class Alerts(Group):
    """Where budgets tell that a share of them is used, besides the pages."""

    webhook_url: str | None = Field(
        None,
        description="HTTPS address that is told when a budget reaches a threshold.",
        # Those of chat services let anybody in who has them.
        json_schema_extra={"secret": True},
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Signs what is told there (HMAC-SHA-256, Standard Webhooks).",
        json_schema_extra={"secret": True},
    )

    _check_url = field_validator("webhook_url")(checks.url_of("https"))
    _check_secret = field_validator("webhook_secret")(checks.long_enough(16))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.webhook_url and self.webhook_secret is None:
            raise ValueError("GAIWEB_ALERTS_WEBHOOK_URL needs GAIWEB_ALERTS_WEBHOOK_SECRET")
        return self
