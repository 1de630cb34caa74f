"""Tools, JSON, pictures and sources of a run: what is asked, logged, kept and shown."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from conversations import history
from conversations.attachments import Picture
from conversations.choices import Choices
from conversations.models import Attachment, Conversation, Generation, Message
from conversations.runs.desk import Desk
from conversations.runs.events import snapshot
from conversations.threads import in_thread
from conversations.views.steps import citations_of, steps_of
from providers.engine.events import (
    Citation,
    Citations,
    Finish,
    FinishReason,
    Safety,
    Start,
    StepEnded,
    TextDelta,
    ToolCalled,
    ToolResulted,
)
from providers.engine.request import Effort, Image, ResponseSchema, ToolCall, ToolResult
from providers.engine.usage import Usage
from providers.models import User
from tests.conversations.conftest import everything, reread
from tests.conversations.script import Script


async def test_a_tool_loop_is_told_line_by_line_and_kept(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    call = ToolCall("call_1", "look", '{"at": "sea\x00"}')
    result = ToolResult("call_1", "blue " * 4000)
    script.play(
        Start("demo/words", 1),
        TextDelta("Let me look."),
        ToolCalled(0, call),
        ToolResulted("look", result, 12),
        StepEnded(1, "Let me look.", (call,), (result,), Usage(5, 6), 700, 30, FinishReason.STOP),
        Start("demo/words", 1),
        TextDelta("It is blue."),
        Safety("pii", "An address was taken out."),
        Citations((Citation("https://example.org/", "The sea", "blue"),)),
        Finish(FinishReason.TOOL_CALLS, "The limit of steps was reached."),
    )
    run_id = await desk.start(thread, "What colour is the sea?")
    told = await everything(desk, run_id)
    whole = snapshot([event for event in told if not event.is_terminal])

    generation = await in_thread(lambda: Generation.objects.get(run_id=run_id))
    message = await in_thread(lambda: Message.objects.get(pk=generation.message_id))
    assert message.text == "Let me look.\n\nIt is blue."
    assert [step["kind"] for step in generation.steps] == ["tool.call", "tool.result", "step.end"]
    assert whole.data["steps"] == generation.steps
    assert "\x00" not in generation.steps[0]["arguments"]
    assert len(generation.steps[1]["content"]) < 9000
    assert "more characters" in generation.steps[1]["content"]
    assert generation.citations[0]["url"] == "https://example.org/"
    assert generation.notices == [{"kind": "safety", "message": "An address was taken out."}]
    (step,) = steps_of(generation.steps)
    assert (step.calls[0].name, step.input_tokens, step.cost_nano) == ("look", 5, 700)
    assert generation.stopped_by == "The limit of steps was reached."


async def test_what_a_thread_chose_is_in_its_request(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    schema = {"type": "object"}
    chosen = Choices(
        "demo", effort=Effort.LOW, tools=("calculator",), output=ResponseSchema(schema)
    )
    await in_thread(history.choose, thread, chosen)
    script.say('{"a": 1}')
    run_id = await desk.start(thread, "", [Picture("a.png", "image/png", b"\x89PNG")])
    await everything(desk, run_id)

    (request,) = script.requests
    assert request.hosted_tools == ("calculator",)
    assert request.effort is Effort.LOW
    assert request.response_schema == ResponseSchema(schema)
    assert request.messages[-1].parts == (Image("data:image/png;base64,iVBORw=="),)
    generation = await in_thread(
        lambda: Generation.objects.select_related("message").get(run_id=run_id)
    )
    assert generation.is_json
    assert 'class="code"' in generation.message.html
    assert (await reread(run_id)).conversation.title == "A picture"


async def test_a_picture_is_seen_by_the_owner_of_its_thread_alone(
    desk: Desk, script: Script, thread: Conversation, ben: User
) -> None:
    script.say("It is green.")
    run_id = await desk.start(thread, "Look", [Picture("a.png", "image/png", b"\x89PNG")])
    await everything(desk, run_id)

    def statuses() -> list[int]:
        place = reverse("conversations:attachment", args=[Attachment.objects.get().pk])
        found = []
        for person in (thread.user, ben):
            client = Client()
            client.force_login(person)
            found.append(client.get(place).status_code)
        return found

    assert await in_thread(statuses) == [200, 404]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "", "/settings/"])
def test_a_source_leads_only_to_the_web(url: str) -> None:
    (source,) = citations_of([{"url": url, "title": "T", "quoted": ""}])
    assert source.url == ""
