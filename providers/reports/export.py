"""The entries of a span in pieces of bounded size: in our own words, and as rows of FOCUS.

Source: FinOps Open Cost and Usage Specification 1.2; columns that it does not know begin with x_.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.db import connection

from providers.downloads import csv_text
from providers.engine.usage import NANO_PER_USD
from providers.reports.question import IN_SPAN, VISIBLE, Question

Row = Sequence[Any]
_TIME = """to_char(({}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_MONTH = "(date_trunc('month', e.at AT TIME ZONE %(zone)s){}) AT TIME ZONE %(zone)s"
_COST = f"trim_scale(e.cost_nano::numeric / {NANO_PER_USD})"
_TOKENS = "coalesce(e.input_tokens, 0) + coalesce(e.output_tokens, 0)"
_OWN = {
    "time": _TIME.format("e.at"),
    "request_id": "e.reservation_id::text",
    "attempt": "e.attempt",
    "source": "e.source",
    "team": "t.name",
    "user": "u.email",
    "key": "k.prefix",
    "tag": "e.tag",
    "route": "e.route",
    "provider": "e.provider",
    "model": "e.model",
    "status": "e.status",
    "error_code": "e.error_code",
    "input_tokens": "e.input_tokens",
    "output_tokens": "e.output_tokens",
    "cache_read_tokens": "e.cache_read_tokens",
    "cache_write_tokens": "e.cache_write_tokens",
    "reasoning_tokens": "e.reasoning_tokens",
    "cost_usd": _COST,
    "is_estimated": "e.is_estimated",
    "is_unconfirmed": "e.is_unconfirmed",
    "price_version": "e.price_version",
    "is_cached": "e.is_cached",
    "saved_usd": f"trim_scale(e.saved_nano::numeric / {NANO_PER_USD})",
    "reason": "e.reason",
    "receipt": "'/receipts/' || e.reservation_id || '/'",
}
_FOCUS = {
    "BilledCost": _COST,
    "EffectiveCost": _COST,
    "ListCost": _COST,
    "ContractedCost": _COST,
    "BillingCurrency": "'USD'",
    "BillingAccountId": "'1'",
    "BillingAccountName": "coalesce(o.name, '')",
    "BillingPeriodStart": _TIME.format(_MONTH.format("")),
    "BillingPeriodEnd": _TIME.format(_MONTH.format(" + interval '1 month'")),
    "ChargePeriodStart": _TIME.format("e.at"),
    "ChargePeriodEnd": _TIME.format(
        "e.at + make_interval(secs => coalesce(e.duration_ms, 0) / 1000.0)"
    ),
    "ChargeCategory": "'Usage'",
    "ChargeClass": "CASE WHEN e.status = 'correction' THEN 'Correction' END",
    "ChargeDescription": "concat_ws(', ', nullif(e.model, ''), e.status, nullif(e.reason, ''))",
    "ChargeFrequency": "'Usage-Based'",
    "ServiceCategory": "'AI and Machine Learning'",
    "ServiceName": "e.model",
    "SkuId": "e.model",
    "SkuPriceId": "e.price_version",
    "ProviderName": "e.provider",
    "PublisherName": "e.provider",
    "InvoiceIssuerName": "e.provider",
    "SubAccountId": "e.team_id::text",
    "SubAccountName": "t.name",
    "ResourceId": "k.prefix",
    "ResourceName": "k.name",
    "ConsumedQuantity": _TOKENS,
    "ConsumedUnit": "'Tokens'",
    "PricingQuantity": _TOKENS,
    "PricingUnit": "'Tokens'",
    "Tags": "CASE WHEN e.tag <> '' THEN json_build_object('tag', e.tag)::text END",
    "x_RequestId": "e.reservation_id::text",
    "x_Attempt": "e.attempt",
    "x_Status": "e.status",
    "x_ErrorCode": "e.error_code",
    "x_User": "u.email",
    "x_Route": "e.route",
    "x_Source": "e.source",
    "x_Tag": "e.tag",
    "x_InputTokens": "e.input_tokens",
    "x_OutputTokens": "e.output_tokens",
    "x_CacheReadTokens": "e.cache_read_tokens",
    "x_CacheWriteTokens": "e.cache_write_tokens",
    "x_ReasoningTokens": "e.reasoning_tokens",
    "x_IsEstimated": "e.is_estimated",
    "x_IsUnconfirmed": "e.is_unconfirmed",
    "x_IsCached": "e.is_cached",
    "x_SavedCost": f"trim_scale(e.saved_nano::numeric / {NANO_PER_USD})",
    "x_Receipt": "'/receipts/' || e.reservation_id || '/'",
}
_PAGE = 2000
_ROWS = """
SELECT e.at, e.id, {columns}
FROM providers_entry e
LEFT JOIN providers_organisation o ON true
LEFT JOIN providers_team t ON t.id = e.team_id
LEFT JOIN providers_user u ON u.id = e.user_id
LEFT JOIN providers_virtualkey k ON k.id = e.key_id
WHERE {in_span} AND {visible} {only}
    AND (%(after_id)s::bigint IS NULL OR (e.at, e.id) > (%(after_at)s, %(after_id)s))
ORDER BY e.at, e.id LIMIT {page}
"""


def csv_pieces(asked: Question) -> Iterator[str]:
    """Yield the header, then some thousand entries at a time, oldest first.

    Each piece is one query that begins after the last row, so nothing is held between two of
    them, no connection and no transaction: an async view may take each in another thread. An
    empty cell is unknown. Times are UTC.
    """
    yield csv_text([tuple(_OWN)])
    yield from _pieces(asked, _OWN, csv_text)


def focus_pieces(asked: Question) -> Iterator[str]:
    """Yield the same in the columns of FOCUS."""
    yield csv_text([tuple(_FOCUS)])
    yield from _pieces(asked, _FOCUS, csv_text)


def json_pieces(asked: Question) -> Iterator[str]:
    """Yield those of FOCUS as one array of objects, a line each; costs are strings."""
    opening = "["
    for piece in _pieces(asked, _FOCUS, _objects):
        yield f"{opening}\n{piece}"
        opening = ","
    yield "[]\n" if opening == "[" else "\n]\n"


def _pieces(
    asked: Question, columns: Mapping[str, str], write: Callable[[Sequence[Row]], str]
) -> Iterator[str]:
    query = _ROWS.format(
        columns=", ".join(columns.values()),
        in_span=IN_SPAN,
        visible=VISIBLE,
        only=asked.only,
        page=_PAGE,
    )
    after: dict[str, Any] = {"after_at": None, "after_id": None}
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, {**asked.arguments, **after})
            rows = cursor.fetchall()
        if rows:
            yield write([row[2:] for row in rows])
        if len(rows) < _PAGE:
            return
        after = {"after_at": rows[-1][0], "after_id": rows[-1][1]}


def _objects(rows: Sequence[Row]) -> str:
    return ",\n".join(
        orjson.dumps(dict(zip(_FOCUS, row, strict=True)), default=str).decode() for row in rows
    )
