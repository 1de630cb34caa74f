"""Logs, set up in one place: readable in development, JSON elsewhere, secrets masked."""

from __future__ import annotations

import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|password|passwd|secret|api[_-]?key|credential|(^|_)token$|csrf",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|rk|pk|gsk|xai|gai)[-_][A-Za-z0-9_-]{12,}|\bAIza[0-9A-Za-z_-]{20,}"
    r"|(?<=[Bb]earer )\S{8,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=/setup/)[\w-]{16,}"
)
_MASK = "[masked]"


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask values by their name and by their look, in tracebacks too."""
    return {
        name: _MASK if _SECRET_NAME.search(name) and value else _masked(value)
        for name, value in event.items()
    }


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_VALUE.sub(_MASK, value)
    if isinstance(value, dict):
        return redact(None, "", value)
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value


def logging_settings(level: str, *, as_json: bool) -> dict[str, Any]:
    """Return Django's LOGGING; standard loggers and structlog's meet in one formatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _before(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_last(as_json=as_json),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # A refused host or a missing page is not our fault to shout about.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django.request": {"level": "ERROR"},
            "uvicorn.access": {"level": "WARNING"},
            "uvicorn.error": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Be Django's LOGGING_CONFIG."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_before(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _before() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]


def _last(*, as_json: bool) -> list[Processor]:
    end: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    return [structlog.processors.format_exc_info, redact, end]
