"""The tool loop: several prompts, one answer.

It stands above the budget: each model step is one whole pass of the steps below, with a reservation
of its own, and its figures are final before the tools run and before the next step is begun. What
retry and fallback repeat is a step that has not answered yet, never a tool that has run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from dataclasses import dataclass, replace
from functools import partial

from providers.engine import stop, structured
from providers.engine.call import MOST_STEPS, Call, Stream, step_id
from providers.engine.errors import AnswerInvalid, BudgetExceeded, InvalidRequest, Unpriced
from providers.engine.events import (
    Event,
    Finish,
    Start,
    StepEnded,
    ToolResulted,
    UsageReported,
)
from providers.engine.heard import Heard
from providers.engine.ports import Now, Open
from providers.engine.request import (
    AnyOf,
    CompletionRequest,
    MaxSteps,
    Message,
    NoMoreTools,
    Role,
    ToolCall,
    ToolResult,
)
from providers.engine.tools import HostedTool, Ran, Runner
from providers.engine.usage import dollars, total

WorstCase = Callable[[Call], int | None]
"""Nano-dollars that a call can cost at most; None: a deployment of its route has no price."""


@dataclass(slots=True)
class Loop:
    """`most_steps` binds whatever a request asks; 1: runs of several steps are switched off.

    It may be replaced at any time.
    """

    now: Now
    worst_case: WorstCase
    runner: Runner
    tool_ended: Callable[[Call, Ran], None]
    most_steps: int = 20

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        in_steps = call.request.comes_in_steps
        return self._open(call, open_next) if in_steps else open_next(call)

    @asynccontextmanager
    async def _open(self, call: Call, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        """Open the first step; the others open while the answer is read."""
        run = _Run(self, call, open_next)
        run.check()
        try:
            stream = await run.open_step()
            async with aclosing(run.events(stream)) as events:
                yield Stream(stream.deployment, stream.record, events)
        finally:
            await run.leave()


def _equipped(call: Call) -> tuple[CompletionRequest, Mapping[str, HostedTool]]:
    """Choose the hosted tools and tell the model of them. Raises InvalidRequest."""
    request = call.request
    chosen: dict[str, HostedTool] = {}
    own = {tool.name for tool in request.tools}
    for name in dict.fromkeys(request.hosted_tools):
        tool = call.hosted.get(name)
        if tool is None:
            known = ", ".join(sorted(call.hosted)) or "none"
            raise InvalidRequest(
                f"There is no tool {name[:64]!r} for you here. Allowed: {known}.", param="tools"
            )
        if name in own:
            raise InvalidRequest(
                f"The tool {name} runs here; give yours another name.", param="tools"
            )
        chosen[name] = tool
    definitions = tuple(tool.tool for tool in chosen.values())
    return replace(request, tools=(*request.tools, *definitions)), chosen


class _Run:
    """One run from its first step to its `Finish`."""

    def __init__(self, loop: Loop, call: Call, open_next: Open[Call]) -> None:
        self._loop = loop
        self._call = call
        self._open_next = open_next
        self._began = self._step_began = loop.now()
        self._patience_s = call.deadline - self._began
        self._request, self._hosted = _equipped(call)
        self._steps: list[StepEnded] = []
        self._stack = AsyncExitStack()
        self._was_corrected = False
        given = call.request.stop_when
        asked = () if given is None else (given,)
        self._limits = AnyOf((*asked, MaxSteps(min(loop.most_steps, MOST_STEPS))))

    def check(self) -> None:
        """Refuse what could not be kept. Raises InvalidRequest, Unpriced."""
        if self._hosted and self._loop.most_steps < 2:
            raise InvalidRequest(
                "Answers of several steps are switched off here; leave hosted tools out.",
                param="tools",
            )
        limit = stop.cost_limit(self._call.request.stop_when)
        if limit is None:
            return
        worst = self._loop.worst_case(self._next_call())
        if worst is None:
            raise Unpriced(
                f"The route {self._call.route.name} has a deployment without a price, so a cost "
                "limit cannot be kept. Set its price, or leave the limit out."
            )
        if worst > limit:
            raise InvalidRequest(
                f"One step may cost up to ${dollars(worst)}, more than the cost limit of "
                f"${dollars(limit)}. Raise the limit, or lower the output tokens.",
                param="stop",
            )

    async def open_step(self) -> Stream:
        """Open one pass of the steps below. Raises EngineError."""
        self._step_began = self._loop.now()
        step = self._next_call()
        self._call.steps.append(step)
        try:
            return await self._stack.enter_async_context(self._open_next(step))
        finally:
            # All attempts of a step are made while it opens.
            self._call.attempts.extend(step.attempts)
            self._call.notices.extend(step.notices)
            self._call.preferred = step.preferred
            self._call.cheaper_route = step.cheaper_route or self._call.cheaper_route

    async def leave(self) -> None:
        """Close and settle the step that is open; afterwards its figures are final."""
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def events(self, stream: Stream) -> AsyncGenerator[Event, None]:
        """End with `Finish`; a failure of any step is raised."""
        while True:
            heard = Heard(self._request.response_schema)
            step = self._step(stream, heard)
            try:
                async for event in step:
                    yield event
            finally:
                await step.aclose()
            following = await self._following(heard)
            if isinstance(following, str):
                break
            stream = following
            for event in self._opening(stream):
                yield event
        used = total(step.usage for step in self._steps)
        if used is not None:
            yield UsageReported(used, self._call.cost_nano)
        has_tools = bool(self._request.tools)
        yield Finish(heard.reason, following if has_tools else None)

    async def _following(self, heard: Heard) -> Stream | str:
        """Open the next step, or say why there is none."""
        stopped_by = self._stopped_by(heard)
        if stopped_by is not None:
            return stopped_by
        try:
            return await self.open_step()
        except BudgetExceeded as refused:
            if heard.faults:
                raise _invalid(heard, refused.message) from refused
            return refused.message

    async def _step(self, stream: Stream, heard: Heard) -> AsyncGenerator[Event, None]:
        """Pass on what the model says, run what it called, and end with `StepEnded`."""
        async for event in stream.events:
            for ready in heard.take(event):
                yield ready
        await self.leave()
        for ready in heard.end(stream.record.structured_by):
            yield ready
        results: list[ToolResulted] = []
        running = self._run_tools(heard)
        try:
            async for ran in running:
                resulted = self._screened(ran)
                results.append(resulted)
                yield resulted
        finally:
            # A reader who leaves now leaves no tool running.
            await running.aclose()
        yield self._ended(heard, results)

    def _next_call(self) -> Call:
        call, number = self._call, len(self._steps) + 1
        request = replace(self._request, id=step_id(call.id, number))
        return replace(
            call,
            request=request,
            deadline=self._loop.now() + self._patience_s,
            attempts=[],
            notices=[],
            steps=[],
            cheaper_route="",
        )

    def _opening(self, stream: Stream) -> list[Event]:
        start = Start(stream.deployment.name, stream.record.number)
        return [start, *self._call.steps[-1].notices]

    def _run_tools(self, heard: Heard) -> AsyncGenerator[ToolResulted, None]:
        """Run what is ours to run: not the caller's own, and nothing of a step that was cut."""
        ours = [call for call in heard.calls if not heard.cut_by and not self._is_callers(call)]
        ended = partial(self._loop.tool_ended, self._call)
        return self._loop.runner.run_all(ours, self._hosted, ended)

    def _screened(self, ran: ToolResulted) -> ToolResulted:
        screen = self._call.screen
        return ran if screen is None else replace(ran, result=screen(ran.result))

    def _is_callers(self, call: ToolCall) -> bool:
        return any(tool.name == call.name for tool in self._call.request.tools)

    def _ended(self, heard: Heard, results: list[ToolResulted]) -> StepEnded:
        """Write the step down, and what the model is asked next."""
        step = self._call.steps[-1]
        in_order = {call.id: place for place, call in enumerate(heard.calls)}
        given = tuple(
            each.result for each in sorted(results, key=lambda r: in_order[r.result.call_id])
        )
        ended = StepEnded(
            number=len(self._steps) + 1,
            text=heard.text,
            calls=heard.calls,
            results=given,
            usage=step.usage,
            cost_nano=step.cost_nano,
            duration_ms=round((self._loop.now() - self._step_began) * 1000),
            reason=heard.reason,
        )
        self._steps.append(ended)
        self._ask_next(heard, given)
        return ended

    def _ask_next(self, heard: Heard, given: tuple[ToolResult, ...]) -> None:
        said = Message(Role.ASSISTANT, tuple(heard.parts))
        answered = (Message(Role.TOOL, given),) if given else ()
        choice = self._request.tool_choice
        self._request = replace(
            self._request,
            messages=(*self._request.messages, said, *answered),
            # A tool that had to be called was; asked for again, it would be called for ever.
            tool_choice=choice if choice in {None, "none"} else "auto",
        )

    def _stopped_by(self, heard: Heard) -> str | None:
        """Say why there is no further step. Raises AnswerInvalid."""
        if heard.faults:
            self._correct(heard)
            return None
        if heard.cut_by:
            return f"The model was cut short by its {heard.cut_by}."
        theirs = [call.name for call in heard.calls if self._is_callers(call)]
        if theirs:
            return f"The caller runs {', '.join(dict.fromkeys(theirs))}."
        return stop.reached(AnyOf((NoMoreTools(), self._limits)), self._so_far())

    def _correct(self, heard: Heard) -> None:
        """Ask once more, with what was wrong. Raises AnswerInvalid where that may not be."""
        wanted = self._request.response_schema
        if self._was_corrected or heard.cut_by or wanted is None:
            raise _invalid(heard)
        limit = stop.reached(self._limits, self._so_far())
        if limit is not None:
            raise _invalid(heard, limit)
        self._was_corrected = True
        corrections = structured.corrections(heard.faults, wanted)
        self._request = replace(self._request, messages=(*self._request.messages, corrections))

    def _so_far(self) -> stop.Run:
        worst = self._loop.worst_case(self._next_call())
        return stop.Run(self._steps, self._loop.now() - self._began, worst)


def _invalid(heard: Heard, limit: str = "") -> AnswerInvalid:
    message = f"The answer does not fit its schema: {'; '.join(heard.faults)}. {limit}"
    return AnswerInvalid(message.strip(), faults=heard.faults)
