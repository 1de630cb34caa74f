"""The addresses of `/api/v1`, in django-ninja."""

from __future__ import annotations

from typing import Annotated, Any, cast

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Query
from ninja.errors import AuthenticationError, ValidationError

from providers.reports.spending import Group
from providers.rest import reads
from providers.rest.asker import Asker, NotAllowed, asker_of
from providers.rest.schemas import BudgetsOut, ErrorOut, HealthOut, MeOut, UsageOut

_LONGEST_DAYS = 366

api = NinjaAPI(
    title="GAI Web",
    version="1",
    description="Read-only. Send `Authorization: Bearer gai_...`, or be signed in.",
    urls_namespace="api",
    docs_url=None,
    openapi_url="openapi.json",
    auth=asker_of,
)
_REFUSALS: dict[int, Any] = {401: ErrorOut, 403: ErrorOut, 422: ErrorOut}


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


def _refusal(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    body = {"error": {"code": code, "message": message}}
    return api.create_response(request, body, status=status)


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, _: AuthenticationError) -> HttpResponse:
    message = "Send `Authorization: Bearer gai_...` with a live key, or sign in."
    return _refusal(request, 401, "UNAUTHENTICATED", message)


@api.exception_handler(NotAllowed)
def _not_allowed(request: HttpRequest, refused: NotAllowed) -> HttpResponse:
    return _refusal(request, 403, "PERMISSION_DENIED", str(refused))


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, fault: ValidationError) -> HttpResponse:
    first = fault.errors[0]
    field = str(first["loc"][-1])
    return _refusal(request, 422, "VALIDATION_ERROR", f"{field}: {first['msg']}.")
