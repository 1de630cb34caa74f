"""The documentation of `/api/v1` as a page of ours, made from its OpenAPI schema: no script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from providers.rest.api import api


@dataclass(frozen=True)
class Field:
    """`depth` counts from 0; nested fields follow their parent."""

    name: str
    kind: str
    description: str
    depth: int


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    summary: str
    parameters: list[Field]
    description: str
    body: list[Field]
    answer: list[Field]
    streams: list[str]
    example: str


@dataclass(frozen=True)
class ApiDocsPage:
    description: str
    operations: list[Operation]
    schema_url: str


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    schema = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    origin = f"{request.scheme}://{request.get_host()}"
    operations = [
        _operation(schema, path, method, fields, origin)
        for path, methods in schema["paths"].items()
        for method, fields in methods.items()
    ]
    page = ApiDocsPage(schema["info"]["description"], operations, "/api/v1/openapi.json")
    return render(request, "providers/api_docs.html", {"page": page})


def _operation(
    schema: Mapping[str, Any], path: str, method: str, fields: Mapping[str, Any], origin: str
) -> Operation:
    answer = fields["responses"]["200"]["content"]["application/json"]["schema"]
    shape = _resolved(schema, answer)
    sent = fields.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        method=method.upper(),
        path=path,
        summary=fields["summary"],
        parameters=[_parameter(schema, each) for each in fields.get("parameters", [])],
        description=shape.get("description", ""),
        body=list(_fields(schema, _resolved(schema, sent["schema"]))) if sent else [],
        answer=list(_fields(schema, shape)),
        streams=fields.get("x-streams", []),
        example=_example(origin + path, schema, sent.get("schema")),
    )


def _example(url: str, schema: Mapping[str, Any], sent: Mapping[str, Any] | None) -> str:
    example = f'curl -H "Authorization: Bearer gai_..." {url}'
    if sent is None:
        return example
    body = json.dumps(_resolved(schema, sent)["example"])
    return f"{example} \\\n  -H 'Content-Type: application/json' -d '{body}'"


def _parameter(schema: Mapping[str, Any], fields: Mapping[str, Any]) -> Field:
    shape = _resolved(schema, fields["schema"])
    default = fields["schema"].get("default")
    kind = " | ".join(shape["enum"]) if "enum" in shape else _kind(schema, shape)
    words = fields.get("description") or fields["schema"].get("description", "")
    return Field(fields["name"], kind, f"{words} Default {default}.".strip(), 0)


def _fields(schema: Mapping[str, Any], shape: Mapping[str, Any], depth: int = 0) -> Iterator[Field]:
    for name, inner in shape.get("properties", {}).items():
        yield Field(name, _kind(schema, inner), inner.get("description", ""), depth)
        nested = _resolved(schema, _without_null(inner))
        if nested.get("type") == "array":
            nested = _resolved(schema, nested["items"])
        yield from _fields(schema, nested, depth + 1)


def _kind(schema: Mapping[str, Any], shape: Mapping[str, Any]) -> str:
    """Name the type; of a union all of its own, told apart by `type` where they are objects."""
    choices = shape.get("anyOf", [])
    if choices:
        kinds = [_kind(schema, each) for each in choices if each.get("type") != "null"]
        is_optional = len(kinds) < len(choices)
        return " or ".join([*kinds, *(["null"] if is_optional else [])])
    if "discriminator" in shape:
        return "part (" + ", ".join(shape["discriminator"]["mapping"]) + ")"
    inner = _resolved(schema, shape)
    if "enum" in inner:
        return " | ".join(map(str, inner["enum"]))
    kind = str(inner.get("format") or inner.get("type", "object"))
    return f"list of {_kind(schema, inner['items'])}" if kind == "array" else kind


def _without_null(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each for each in shape.get("anyOf", []) if each.get("type") != "null"), shape)


def _resolved(schema: Mapping[str, Any], shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to its component."""
    if len(shape.get("allOf", [])) == 1:
        shape = shape["allOf"][0]
    reference = shape.get("$ref")
    if reference is None:
        return shape
    found: Mapping[str, Any] = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return found
