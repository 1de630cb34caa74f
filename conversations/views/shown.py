"""What the playground shows, as its templates receive it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.utils import timezone

from conversations.choices import Choices
from conversations.forms import OUTPUTS
from conversations.history import Page, Transcript
from conversations.models import Attachment, Conversation, Generation, Message, RunState
from conversations.views.faults import Fault, fault_of
from conversations.views.steps import Citation, Step, citations_of, steps_of
from providers import gateway
from providers.engine.events import NoticeKind
from providers.engine.request import Effort, Tool
from providers.ledger.balances import Balance

# Below it a rate would say more about the clock than about the model.
SHORTEST_MS = 50
LOW_PERCENT = 80


@dataclass(frozen=True)
class Figures:
    """Of one answer; None: not known, shown as a dash."""

    ttft_ms: int | None
    tokens_per_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    is_estimated: bool
    cost_nano: int | None


@dataclass(frozen=True)
class Bubble:
    """One message. The fields after `html` belong to answers; `run_id` is set while it comes."""

    id: UUID
    conversation_id: UUID
    role: str
    text: str
    html: str
    created_at: datetime
    route: str = ""
    answered_by: str = ""
    is_fallback: bool = False
    reasoning: str = ""
    notices: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()
    is_cached: bool = False
    is_degraded: bool = False
    is_cheaper: bool = False
    fault: Fault | None = None
    was_stopped: bool = False
    was_cut_short: bool = False
    steps: tuple[Step, ...] = ()
    stopped_by: str = ""
    citations: tuple[Citation, ...] = ()
    is_json: bool = False
    pictures: tuple[Attachment, ...] = ()
    figures: Figures | None = None
    run_id: UUID | None = None
    elapsed_ms: int = 0
    is_last: bool = False


@dataclass(frozen=True)
class Gauge:
    """The tightest budget that binds the next run."""

    left_nano: int
    limit_nano: int
    used_percent: int
    name: str
    resets_at: datetime | None
    is_hard: bool

    @property
    def tone(self) -> str:
        if self.left_nano <= 0:
            return "bad"
        return "warn" if self.used_percent >= LOW_PERCENT else "ok"


@dataclass(frozen=True)
class Playground:
    """The whole page. `conversation` None: a new one."""

    conversation: Conversation | None
    choices: Choices
    bubbles: list[Bubble]
    earlier: UUID | None
    history: Page
    routes: list[gateway.RouteInfo]
    tools: list[Tool]
    gauge: Gauge | None
    starters: tuple[tuple[str, str], ...]
    is_first: bool
    deleted: Conversation | None
    who_adds_routes: str
    may_add_routes: bool

    @property
    def gone_route(self) -> str:
        """The thread's route if nobody can use it any more: another one has to be chosen."""
        names = {route.name for route in self.routes}
        return "" if self.choices.route in names else self.choices.route

    @property
    def is_live(self) -> bool:
        return any(bubble.run_id for bubble in self.bubbles)

    efforts: ClassVar = [each.value for each in Effort]
    outputs: ClassVar = OUTPUTS

    @property
    def output(self) -> str:
        """One of the form's words."""
        if self.choices.output is None:
            return "text"
        return "json" if self.choices.output.schema is None else "schema"

    @property
    def schema_text(self) -> str:
        output = self.choices.output
        if output is None or output.schema is None:
            return ""
        return json.dumps(output.schema, indent=2, ensure_ascii=False)


def bubbles_of(transcript: Transcript, *, ends_thread: bool = True) -> list[Bubble]:
    last = transcript.messages[-1].id if transcript.messages and ends_thread else None
    return [bubble_of(message, is_last=message.id == last) for message in transcript.messages]


def bubble_of(message: Message, *, is_last: bool = False) -> Bubble:
    generation: Generation | None = getattr(message, "generation", None)
    if generation is None:
        return Bubble(
            message.id,
            message.conversation_id,
            message.role,
            message.text,
            message.html,
            message.created_at,
            pictures=tuple(message.attachments.all()),
        )
    run = generation.run
    is_live = run.ended_at is None
    return Bubble(
        message.id,
        message.conversation_id,
        message.role,
        message.text,
        message.html,
        message.created_at,
        route=generation.route,
        answered_by=generation.answered_by,
        is_fallback=generation.is_fallback,
        reasoning=generation.reasoning,
        notices=_notices(generation, retries=False),
        retries=_notices(generation, retries=True),
        is_cached=_tells(generation, NoticeKind.CACHED),
        is_degraded=_tells(generation, NoticeKind.DEGRADED),
        is_cheaper=_tells(generation, NoticeKind.BUDGET),
        fault=fault_of(generation),
        was_stopped=run.state == RunState.STOPPED,
        was_cut_short=generation.finish_reason == "length",
        steps=steps_of(generation.steps),
        # A model that had no more to call has simply answered.
        stopped_by=generation.stopped_by if generation.finish_reason == "tool_calls" else "",
        citations=citations_of(generation.citations),
        is_json=generation.is_json and generation.error is None and bool(generation.finish_reason),
        figures=None if is_live else _figures(generation),
        run_id=run.id if is_live else None,
        elapsed_ms=round((timezone.now() - run.started_at).total_seconds() * 1000),
        is_last=is_last,
    )


def _notices(generation: Generation, *, retries: bool) -> tuple[str, ...]:
    return tuple(
        notice["message"]
        for notice in generation.notices
        if (notice["kind"] == NoticeKind.RETRY) == retries
    )


def _tells(generation: Generation, kind: NoticeKind) -> bool:
    return any(notice["kind"] == kind for notice in generation.notices)


def _figures(generation: Generation) -> Figures:
    return Figures(
        generation.ttft_ms,
        _tokens_per_s(generation),
        generation.input_tokens,
        generation.output_tokens,
        generation.is_estimated,
        generation.cost_nano,
    )


def _tokens_per_s(generation: Generation) -> float | None:
    """From the first token to the end; None where that time or the count says nothing."""
    ttft_ms, duration_ms = generation.ttft_ms, generation.duration_ms
    if ttft_ms is None or duration_ms is None or not generation.output_tokens:
        return None
    writing_ms = duration_ms - ttft_ms
    return generation.output_tokens * 1000 / writing_ms if writing_ms >= SHORTEST_MS else None


def gauge_of(balances: list[Balance]) -> Gauge | None:
    """Hard budgets first, since only they refuse; None: nothing limits the next run."""
    if not balances:
        return None
    tightest = min(balances, key=lambda balance: (not balance.is_hard, balance.left_nano))
    return Gauge(
        tightest.left_nano,
        tightest.limit_nano,
        tightest.used_percent,
        tightest.name,
        tightest.resets_at,
        tightest.is_hard,
    )
