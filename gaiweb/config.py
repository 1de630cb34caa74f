"""The product's configuration, typed and validated as a whole."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

BASE_DIR = Path(__file__).resolve().parent.parent


class Config(BaseSettings):
    environment: str = Field("development", validation_alias="ENVIRONMENT")
    data_dir: Path = Field(BASE_DIR / ".gaiweb", validation_alias="GAIWEB_DATA_DIR")
    database_url: str = Field(
        "postgres://postgres@127.0.0.1:5432/gaiweb", validation_alias="DATABASE_URL"
    )
    broker_url: str | None = Field(None, validation_alias="CELERY_BROKER_URL")


def load() -> Config:
    return Config()
