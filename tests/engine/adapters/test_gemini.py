"""What is Gemini's own: seals on calls, blocks, grounding, reasons and delays of errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.engine.adapters.gemini.encode import encoded
from providers.engine.errors import (
    ContentBlocked,
    CredentialRejected,
    EngineError,
    InvalidRequest,
    QuotaExhausted,
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Safety,
    TextDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import (
    Audio,
    Effort,
    File,
    Image,
    Message,
    Reasoning,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.engine.adapters.replay import Replay, sse
from tests.fakes import a_deployment, a_request

PNG = "data:image/png;base64,aGk="


def body(model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
    deployment = a_deployment(kind="gemini", model=model, max_output_tokens=100)
    return json.loads(encoded(a_request(**fields), deployment))


async def heard(*pieces: dict[str, Any]) -> list[Event]:
    return await Replay("gemini", sse(*pieces)).events()


def piece(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    ended = {"finishReason": reason} if reason else {}
    return {"candidates": [{"content": {"parts": list(parts)}, **ended, **more}]}


def test_instructions_stand_apart_and_neighbours_of_one_role_are_joined() -> None:
    messages = (
        Message.of(Role.SYSTEM, "Be brief."),
        Message.of(Role.DEVELOPER, "Be kind."),
        Message.of(Role.USER, "Look"),
        Message(
            Role.ASSISTANT, (ToolCall("a", "look", '{"x": 1}'), ToolCall("b", "wait", "{oops"))
        ),
        Message(Role.TOOL, (ToolResult("a", '{"sky": "blue"}'),)),
        Message(Role.TOOL, (ToolResult("b", "late", is_error=True),)),
    )
    sent = body(messages=messages)
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    calls = [part["functionCall"] for part in sent["contents"][1]["parts"]]
    assert [call["args"] for call in calls] == [{"x": 1}, {"malformed": "{oops"}]
    results = [part["functionResponse"] for part in sent["contents"][2]["parts"]]
    assert results == [
        {"id": "a", "name": "look", "response": {"sky": "blue"}},
        {"id": "b", "name": "wait", "response": {"error": "late"}},
    ]


def test_a_result_that_is_no_object_is_put_under_a_name() -> None:
    messages = (
        Message(Role.ASSISTANT, (ToolCall("a", "look", ""),)),
        Message(Role.TOOL, (ToolResult("a", "blue"),)),
    )
    (part,) = body(messages=messages)["contents"][1]["parts"]
    assert part["functionResponse"]["response"] == {"result": "blue"}


def test_a_prompt_of_instructions_alone_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidRequest):
        body(messages=(Message.of(Role.SYSTEM, "Be brief."),))


def test_media_go_inline_or_by_their_address_and_are_not_fetched_by_us() -> None:
    parts = (
        Image(PNG),
        Audio("data:audio/wav;base64,aGk="),
        File("https://example.com/a.pdf?x=1"),
        File(file_id="files/abc"),
    )
    sent = body(messages=(Message(Role.USER, parts),))["contents"][0]["parts"]
    assert sent == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
        {"fileData": {"fileUri": "https://example.com/a.pdf?x=1", "mimeType": "application/pdf"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    ]


@pytest.mark.parametrize("url", ["data:image/png,raw", "data:;base64,aGk=", "data:oops", ""])
def test_media_that_nobody_can_read_are_refused_before_they_are_sent(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        body(messages=(Message(Role.USER, (Text("See"), Image(url))),))
    assert caught.value.param == "messages.0.content.1"


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("look", {"mode": "ANY", "allowedFunctionNames": ["look"]}),
    ],
)
def test_tools_and_their_choice(choice: str, config: dict[str, Any]) -> None:
    tools = (Tool("look", "Looks.", {"type": "object"}), Tool("wait", "Waits.", {}))
    sent = body(tools=tools, tool_choice=choice)
    look, wait = sent["tools"][0]["functionDeclarations"]
    assert look == {
        "name": "look",
        "description": "Looks.",
        "parametersJsonSchema": {"type": "object"},
    }
    assert "parametersJsonSchema" not in wait
    assert sent["toolConfig"] == {"functionCallingConfig": config}
    assert "toolConfig" not in body(tool_choice=choice)


def test_parameters_that_are_unset_are_not_sent_and_zero_is() -> None:
    assert body()["generationConfig"] == {"maxOutputTokens": 100}
    assert body(temperature=0.0, seed=0, stop=("x",))["generationConfig"] == {
        "temperature": 0,
        "seed": 0,
        "stopSequences": ["x"],
        "maxOutputTokens": 100,
    }


def test_a_schema_is_asked_for_natively() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    config = body(response_schema=ResponseSchema(schema))["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == schema
    assert "responseJsonSchema" not in body(response_schema=ResponseSchema())["generationConfig"]


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", Effort.NONE, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Effort.NONE, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", Effort.HIGH, {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-3-flash", Effort.NONE, {"thinkingLevel": "minimal"}),
        ("gemini-3.1-pro", Effort.MINIMAL, {"includeThoughts": True, "thinkingLevel": "low"}),
        ("gemini-flash-latest", Effort.LOW, {"includeThoughts": True, "thinkingLevel": "low"}),
        ("models/gemini-2.0-flash", Effort.HIGH, None),
        ("gemma-3-27b-it", Effort.HIGH, None),
        ("gemini-2.5-flash", None, None),
    ],
)
def test_effort_is_the_nearest_that_the_model_knows(
    model: str, effort: Effort | None, config: dict[str, Any] | None
) -> None:
    assert body(model, effort=effort)["generationConfig"].get("thinkingConfig") == config


def test_options_are_joined_to_the_body_and_never_outgrow_the_hold() -> None:
    tool = Tool("look", "Looks.", {})
    options = {
        "gemini": {
            "generationConfig": {"topK": 3, "maxOutputTokens": 10**6, "candidateCount": 8},
            "tools": [{"googleSearch": {}}],
        },
        "provider1": {"generationConfig": {"topK": 4}},
        "openai_chat": {"user": "x"},
    }
    sent = body(tools=(tool,), temperature=0.5, provider_options=options)
    assert sent["generationConfig"] == {"temperature": 0.5, "topK": 4, "maxOutputTokens": 100}
    assert [list(each) for each in sent["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    assert "user" not in sent


def test_options_leave_the_callers_own_schema_as_it_is() -> None:
    schema: dict[str, Any] = {"type": "object"}
    options = {"gemini": {"generationConfig": {"responseJsonSchema": {"title": "T"}}}}
    sent = body(response_schema=ResponseSchema(schema), provider_options=options)
    assert sent["generationConfig"]["responseJsonSchema"] == {"type": "object", "title": "T"}
    assert schema == {"type": "object"}


async def test_seals_of_thoughts_and_calls_come_back_where_they_were() -> None:
    events = await heard(
        piece({"text": "Hm.", "thought": True, "thoughtSignature": "s1"}, reason=None),
        piece({"text": "Look.", "thoughtSignature": "s2"}, reason=None),
        piece(
            {"functionCall": {"name": "a", "args": {}}, "thoughtSignature": "s3"},
            {"functionCall": {"name": "b", "args": {}}},
        ),
    )
    parts = [
        part
        for event in events
        for part in (
            [event.replay]
            if isinstance(event, ReasoningDelta) and event.replay
            else [Text(event.text)]
            if isinstance(event, TextDelta)
            else [event.call]
            if isinstance(event, ToolCalled)
            else []
        )
    ]
    (content,) = body("gemini-3-flash", messages=(Message(Role.ASSISTANT, tuple(parts)),))[
        "contents"
    ]
    ids = [part.id for part in parts if isinstance(part, ToolCall)]
    assert content["parts"] == [
        {"text": "Hm.", "thoughtSignature": "s1", "thought": True},
        {"text": "Look."},
        {"text": "", "thoughtSignature": "s2"},
        {"functionCall": {"id": ids[0], "name": "a", "args": {}}, "thoughtSignature": "s3"},
        {"functionCall": {"id": ids[1], "name": "b", "args": {}}},
    ]


@pytest.mark.parametrize(
    ("model", "sealed"), [("gemini-3-flash", [True, False]), ("gemini-2.5-flash", [False, False])]
)
def test_calls_of_another_model_get_the_seal_that_newer_models_ask_for(
    model: str, sealed: list[bool]
) -> None:
    messages = (Message(Role.ASSISTANT, (ToolCall("a", "f", ""), ToolCall("b", "f", ""))),)
    (content,) = body(model, messages=messages)["contents"]
    assert ["thoughtSignature" in part for part in content["parts"]] == sealed


def test_thoughts_of_another_wire_stay_there() -> None:
    thought = Reasoning("Hm.", "sig", wire="anthropic_messages")
    (content,) = body(messages=(Message(Role.ASSISTANT, (thought, Text("Hi"))),))["contents"]
    assert content["parts"] == [{"text": "Hi"}]


async def test_calls_without_an_id_get_one_that_stays_the_same() -> None:
    request = a_request()
    call = {"functionCall": {"name": "look", "args": {}}}
    pieces = sse(piece(call, call))
    first, second = [await Replay("gemini", pieces).events(request) for _ in range(2)]
    assert first == second
    ids = [event.call.id for event in first if isinstance(event, ToolCalled)]
    assert len(set(ids)) == 2
    assert all(ids)


async def test_a_blocked_prompt_is_the_callers_to_change() -> None:
    with pytest.raises(ContentBlocked, match="PROHIBITED_CONTENT"):
        await heard({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "SPII"])
async def test_an_answer_that_a_filter_ended_says_so(reason: str) -> None:
    ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "blocked": True}]
    events = await heard(piece({"text": "I"}, reason=reason, safetyRatings=ratings))
    categories = [event.category for event in events if isinstance(event, Safety)]
    assert categories == ["harassment", reason.lower()]
    assert events[-1] == Finish(FinishReason.CONTENT_FILTER)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("MALFORMED_FUNCTION_CALL", UpstreamGarbled), ("OTHER", UpstreamUnavailable)],
)
async def test_an_answer_that_broke_off_is_never_a_clean_end(
    reason: str, kind: type[EngineError]
) -> None:
    with pytest.raises(kind):
        await heard(piece({"text": "I"}, reason=reason))


async def test_a_length_is_a_length_and_an_unknown_reason_an_end() -> None:
    assert (await heard(piece(reason="MAX_TOKENS")))[-1] == Finish(FinishReason.LENGTH)
    assert (await heard(piece(reason="NEWS")))[-1] == Finish(FinishReason.STOP)


async def test_a_plain_answer_without_a_reason_has_no_end() -> None:
    plain = json.dumps(piece({"text": "Hi"}, reason=None)).encode()
    with pytest.raises(UpstreamGarbled):
        await Replay("gemini", [plain]).events(a_request(stream=False))


async def test_a_stream_without_a_reason_is_cut_and_one_with_one_in_each_piece_is_whole() -> None:
    with pytest.raises(StreamCut):
        await heard(piece({"text": "Hi"}, reason=None))
    events = await heard(piece({"text": "H"}), piece({"text": "i"}))
    assert [e for e in events if isinstance(e, Finish)] == [Finish(FinishReason.STOP)]
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hi"


async def test_segments_count_bytes_and_citations_characters() -> None:
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.example", "title": "A"}},
            {"retrievedContext": {"text": "Said.", "title": "B"}},
            {"web": {"uri": "https://c.example", "title": "C"}},
        ],
        "groundingSupports": [
            {"segment": {"startIndex": 7, "endIndex": 13}, "groundingChunkIndices": [0, 1, 9]}
        ],
    }
    events = await heard(
        piece({"text": "Hello, "}, reason=None),
        piece({"text": "世界!"}, groundingMetadata=grounding),
    )
    (citations,) = [event for event in events if isinstance(event, Citations)]
    assert citations.items == (
        Citation("https://a.example", "A", "", 7, 9),
        Citation("", "B", "Said.", 7, 9),
        Citation("https://c.example", "C"),
    )


async def test_pages_that_a_tool_read_are_input_and_thoughts_are_output() -> None:
    usage = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 2,
    }
    events = await heard({**piece({"text": "Hi"}), "usageMetadata": usage})
    (found,) = [event.usage for event in events if isinstance(event, UsageReported)]
    assert (found.input_tokens, found.output_tokens) == (15, 7)
    assert (found.cache_read_tokens, found.reasoning_tokens) == (2, 4)


async def test_sound_and_searches_are_counted_apart() -> None:
    usage = {
        "promptTokenCount": 10,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 4},
            {"modality": "AUDIO", "tokenCount": 6},
        ],
    }
    grounding = {"webSearchQueries": ["a", "b"]}
    ended = {**piece({"text": "Hi"}, groundingMetadata=grounding), "usageMetadata": usage}
    for model, searches in (("gemini-2.5-flash", 1), ("gemini-3-flash", 2)):
        events = await Replay("gemini", sse(ended)).events(model=model)
        (found,) = [event.usage for event in events if isinstance(event, UsageReported)]
        assert (found.input_audio_tokens, found.web_searches) == (6, searches)


def _error(code: int, status: str, message: str = "no", *details: dict[str, Any]) -> bytes:
    error = {"code": code, "status": status, "message": message, "details": list(details)}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (
            400,
            _error(400, "INVALID_ARGUMENT", "no", {"reason": "API_KEY_INVALID"}),
            CredentialRejected,
        ),
        (400, _error(400, "FAILED_PRECONDITION", "Location"), UpstreamMisconfigured),
        (
            400,
            _error(400, "FAILED_PRECONDITION", "User location is not supported."),
            UpstreamMisconfigured,
        ),
        (
            429,
            _error(429, "RESOURCE_EXHAUSTED", "no", {"violations": [{"quotaId": "FooPerDayBar"}]}),
            QuotaExhausted,
        ),
        (
            429,
            _error(429, "RESOURCE_EXHAUSTED", "no", {"violations": [{"quotaId": "PerMinute"}]}),
            UpstreamThrottled,
        ),
        (503, _error(503, "UNAVAILABLE", "The model is overloaded."), UpstreamOverloaded),
        (503, _error(503, "UNAVAILABLE"), UpstreamUnavailable),
        (404, b"[" + _error(404, "NOT_FOUND") + b"]", UpstreamMisconfigured),
    ],
)
async def test_reason_then_word_then_status_decide(
    status: int, said: bytes, kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError) as caught:
        await Replay("gemini", [said], status).events()
    assert type(caught.value) is kind


async def test_the_delay_of_a_retry_info_is_the_retry_after() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}
    with pytest.raises(UpstreamError) as caught:
        await Replay("gemini", [_error(429, "RESOURCE_EXHAUSTED", "no", info)], 429).events()
    assert caught.value.retry_after_s == 36.5


async def test_an_error_in_a_good_stream_has_its_own_status() -> None:
    with pytest.raises(UpstreamThrottled):
        await Replay("gemini", [b"data: " + _error(429, "RESOURCE_EXHAUSTED") + b"\n\n"]).events()


async def test_a_model_may_bring_its_own_collection_and_cannot_leave_the_path() -> None:
    replay = Replay("gemini", sse(piece({"text": "Hi"})))
    for model in ("gemini-x", "tunedModels/mine", "a?key=b#c"):
        await replay.events(model=model)
    paths = [str(sent.url).removeprefix("http://127.0.0.1") for sent in replay.sent]
    assert paths == [
        "/models/gemini-x:streamGenerateContent?alt=sse",
        "/tunedModels/mine:streamGenerateContent?alt=sse",
        "/models/a%3Fkey%3Db%23c:streamGenerateContent?alt=sse",
    ]


async def test_a_check_counts_the_models() -> None:
    replay = Replay("gemini", [json.dumps({"models": [{}, {}]}).encode()])
    assert await replay.adapter().check(a_deployment(kind="gemini"), "sk") == 2
    assert replay.sent[0].method == "GET"
