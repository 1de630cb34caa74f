"""What a script asks of `POST /api/v1/answers`, in the engine's own vocabulary."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from providers.engine import json_schema
from providers.engine import request as engine
from providers.ledger.money import to_nano
from providers.rest.parts import Part

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"


class _In(Schema):
    model_config = ConfigDict(extra="forbid")


class MessageIn(_In):
    role: engine.Role
    content: str | list[Part] = Field(description="Text, or a list of parts told apart by type.")

    def to_engine(self) -> engine.Message:
        if isinstance(self.content, str):
            return engine.Message.of(self.role, self.content)
        return engine.Message(self.role, tuple(part.to_engine() for part in self.content))


class ToolIn(_In):
    """A tool that you run: its calls end the answer, and you ask again with the results."""

    name: str = Field(pattern=_NAME)
    description: str = ""
    parameters: dict[str, Any] = Field(description="A JSON Schema of an object.")
    strict: bool = False

    def to_engine(self) -> engine.Tool:
        json_schema.check(self.parameters, f"tools.{self.name}.parameters")
        return engine.Tool(self.name, self.description, self.parameters, self.strict)


class StopIn(_In):
    """When the answer ends although tools were called; an operator's cap of steps holds anyway."""

    combine: Literal["any", "all"] = Field("any", description="Whether one is enough.")
    max_steps: int | None = Field(None, ge=1, le=1000)
    until_tool: str | None = Field(None, description="A tool of this name was called.")
    text: str | None = Field(None, min_length=1, description="The text so far holds this.")
    cost_usd: Decimal | None = Field(
        None, gt=0, description="Of all steps; none is begun that may take them past it."
    )
    seconds: float | None = Field(None, gt=0, description="Looked at between steps.")
    tokens: int | None = Field(None, ge=1, description="Prompts and answers of all steps.")

    def to_engine(self) -> engine.StopCondition:
        given: list[engine.StopCondition | None] = [
            None if self.max_steps is None else engine.MaxSteps(self.max_steps),
            None if self.until_tool is None else engine.UntilTool(self.until_tool),
            None if self.text is None else engine.TextMatch(self.text),
            None if self.cost_usd is None else engine.CostLimit(to_nano(self.cost_usd)),
            None if self.seconds is None else engine.TimeLimit(self.seconds),
            None if self.tokens is None else engine.TokenLimit(self.tokens),
        ]
        conditions = tuple(each for each in given if each is not None)
        return engine.AnyOf(conditions) if self.combine == "any" else engine.AllOf(conditions)


class ResponseSchemaIn(_In):
    """The answer's text is JSON that fits; it is checked here."""

    schema_: dict[str, Any] | None = Field(
        None, alias="schema", description="A JSON Schema; null: any object."
    )
    name: str = Field("answer", pattern=_NAME)
    strict: bool = True

    def to_engine(self) -> engine.ResponseSchema:
        if self.schema_ is not None:
            json_schema.check(self.schema_, "response_schema.schema")
        return engine.ResponseSchema(self.schema_, self.name, self.strict)


_EXAMPLE: dict[str, Any] = {
    "model": "demo",
    "messages": [{"role": "user", "content": "What is 12 * 34?"}],
    "tools": ["calculator"],
}


class AnswerIn(_In):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    model: str = Field(description="A route's name; GET /v1/models lists what there is.")
    messages: list[MessageIn] = Field(min_length=1)
    tools: list[str | ToolIn] = Field(
        default_factory=list,
        description="Names of tools that run here (GET /api/v1/tools), or tools that you run.",
    )
    tool_choice: str | None = Field(None, description="auto, none, required or a tool's name.")
    stop_when: StopIn | None = None
    response_schema: ResponseSchemaIn | None = None
    effort: engine.Effort | None = Field(None, description="How much the model may think.")
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = Field(None, ge=1, description="Of each step.")
    stop: list[str] = Field(default_factory=list, description="Texts that end a step.")
    seed: int | None = None
    metadata: dict[str, str] = Field(
        default_factory=dict, description="Yours; a whole answer gives it back."
    )
    provider_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="By provider or kind, put into the body as they are."
    )

    def to_engine(self, request_id: UUID, *, stream: bool) -> engine.CompletionRequest:
        """Raise InvalidRequest."""
        stop_when = engine.AnyOf(()) if self.stop_when is None else self.stop_when.to_engine()
        schema = None if self.response_schema is None else self.response_schema.to_engine()
        return engine.CompletionRequest(
            id=request_id,
            route=self.model,
            messages=tuple(message.to_engine() for message in self.messages),
            temperature=self.temperature,
            top_p=self.top_p,
            max_output_tokens=self.max_output_tokens,
            stop=tuple(self.stop),
            seed=self.seed,
            tools=tuple(each.to_engine() for each in self.tools if isinstance(each, ToolIn)),
            tool_choice=self.tool_choice,
            response_schema=schema,
            effort=self.effort,
            stream=stream,
            provider_options=self.provider_options,
            metadata=self.metadata,
            hosted_tools=tuple(each for each in self.tools if isinstance(each, str)),
            stop_when=stop_when,
        )
