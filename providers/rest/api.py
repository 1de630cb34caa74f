"""The addresses of `/api/v1`, in django-ninja."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import Header, NinjaAPI, Query
from ninja.errors import AuthenticationError, ValidationError
from structlog import get_logger
from uuid_utils.compat import uuid7

from providers.engine.call import Caller
from providers.engine.codes import row_of, shown
from providers.engine.errors import EngineError, InvalidRequest, KeyInvalid, ServiceDegraded
from providers.engine.levels import Level
from providers.engine.tags import checked
from providers.headers import CACHE, LEVEL, caching
from providers.reports.question import Group
from providers.rest import answers, reads
from providers.rest.answered import AnswerOut, ToolsOut
from providers.rest.asked import AnswerIn
from providers.rest.asker import Asker, asker_of
from providers.rest.schemas import BudgetsOut, ErrorOut, HealthOut, MeOut, UsageOut

log = get_logger(__name__)

_LONGEST_DAYS = 366
_NO_FIELDS = frozenset({"asked", "str"})
_REQUEST_ID = "x-request-id"
_SIGN_IN = "Send `Authorization: Bearer gai_...` with a live key, or sign in."

api = NinjaAPI(
    title="GAI Web",
    version="1",
    description="Send `Authorization: Bearer gai_...`, or be signed in. What an answer has cost, "
    "line by line, is at `/v1/receipts/ID`, with its `x-request-id`, for the key that asked. "
    "`x-gai-degradation` names the level in force where that is not full.",
    urls_namespace="api",
    docs_url=None,
    openapi_url="openapi.json",
    auth=asker_of,
)
_REFUSALS: dict[int, Any] = {401: ErrorOut, 403: ErrorOut, 400: ErrorOut}


def _asker(request: HttpRequest) -> Asker:
    return cast("Asker", request.auth)  # type: ignore[attr-defined] # ninja puts it there


@api.get("/me", response={200: MeOut, **_REFUSALS}, url_name="me", summary="Who asks")
def me(request: HttpRequest) -> MeOut:
    return reads.me(_asker(request))


@api.get("/usage", response={200: UsageOut, **_REFUSALS}, url_name="usage", summary="What was used")
def usage(
    request: HttpRequest,
    days: Annotated[
        int, Query(ge=1, le=_LONGEST_DAYS, description="Whole days, today included.")
    ] = 30,
    group: Annotated[Group, Query(description="By what to split the sums.")] = Group.MODEL,
) -> UsageOut:
    return reads.usage(_asker(request), days, group)


@api.get(
    "/budgets",
    response={200: BudgetsOut, **_REFUSALS},
    url_name="budgets",
    summary="The budgets that bind the asker",
)
def budgets(request: HttpRequest) -> BudgetsOut:
    return reads.budgets(_asker(request))


@api.get(
    "/health",
    response={200: HealthOut, **_REFUSALS},
    url_name="health",
    summary="How every deployment does",
)
def health(request: HttpRequest) -> HealthOut:
    return reads.health(_asker(request))


@api.post(
    "/answers",
    response={200: AnswerOut, **_REFUSALS},
    url_name="answers",
    summary="Ask a model, with tools that run here, and get the whole answer or its events",
    auth=answers.who_asks,
    openapi_extra={"x-streams": ["text/event-stream", "application/x-ndjson"]},
)
async def ask(
    request: HttpRequest,
    asked: AnswerIn,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="For a day the same request with the same key gets the same whole answer, "
            "and is paid for once.",
        ),
    ] = None,
    tag: Annotated[
        str | None,
        Header(
            alias="X-GAI-Tag",
            description="What it is for, in a word; spending can be told apart by it.",
        ),
    ] = None,
    cache: Annotated[
        str,
        Header(
            alias=CACHE,
            description="`on`: take a saved answer at any temperature; `off`: neither read nor "
            "save one. An answer from the cache has the same header: `hit; age=12; tier=local`.",
        ),
    ] = "",
) -> HttpResponseBase:
    caller = cast("Caller", request.auth)  # type: ignore[attr-defined] # ninja puts it there
    if tag:
        caller = replace(caller, tag=checked(tag, "x-gai-tag"))
    request_id = uuid7()
    request.META[_REQUEST_ID] = str(request_id)
    wanted = answers.Wanted(asked, request_id, key, caching(cache))
    answered = await answers.answer(request, caller, wanted)
    answered[_REQUEST_ID] = str(request_id)
    return answered


@api.get(
    "/tools",
    response={200: ToolsOut, **_REFUSALS},
    url_name="tools",
    summary="The tools that run here and that the asker may use",
    auth=answers.who_reads,
)
async def tools(request: HttpRequest) -> ToolsOut:
    caller = cast("Caller", request.auth)  # type: ignore[attr-defined] # ninja puts it there
    return await answers.tools(caller)


@api.exception_handler(EngineError)
def _refused(request: HttpRequest, error: EngineError) -> HttpResponse:
    """Answer with the guide's code."""
    return _shown(request, error)


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, _: AuthenticationError) -> HttpResponse:
    return _refused(request, KeyInvalid(_SIGN_IN))


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, fault: ValidationError) -> HttpResponse:
    # Of a union every choice complains; the one that got furthest was meant.
    deepest = max(fault.errors, key=lambda each: len(each["loc"]))
    path = _path(deepest["loc"])
    return _refused(request, InvalidRequest(f"{path}: {deepest['msg']}.", param=path))


def _path(places: Sequence[str | int]) -> str:
    """Leave out what pydantic puts between fields and indices: where it looked, a union's types."""
    fields = [
        str(each)
        for each in places[1:]
        if isinstance(each, int) or (each.isidentifier() and each not in _NO_FIELDS)
    ]
    return ".".join(fields) or "body"


@api.exception_handler(Exception)
def _broken(request: HttpRequest, bug: Exception) -> HttpResponse:
    """Show nothing of its inside; Django's own handler would answer with a page."""
    request_id = request.META.get(_REQUEST_ID)
    log.error("request_broken", path=request.path, request_id=request_id, exc_info=bug)
    return _shown(request, bug)


def _shown(request: HttpRequest, error: Exception) -> HttpResponse:
    told = shown(error)
    response = api.create_response(request, {"error": asdict(told)}, status=row_of(error).status)
    if told.retry_after is not None:
        response["retry-after"] = str(max(1, math.ceil(told.retry_after)))
    if isinstance(error, ServiceDegraded):
        response[LEVEL] = Level.EMERGENCY.value
    if _REQUEST_ID in request.META:
        response[_REQUEST_ID] = request.META[_REQUEST_ID]
    return response
