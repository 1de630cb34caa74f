"""A statement as CSV, in the columns of FOCUS."""

from __future__ import annotations

from collections.abc import Iterator

from providers.downloads import csv_text
from providers.ledger.money import to_decimal
from providers.models import Statement, StatementLine
from providers.models.statements import LineKind

COLUMNS = (
    "InvoiceId", "BillingAccountName", "SubAccountName", "BillingCurrency", "BillingPeriodStart",
    "ChargePeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ProviderName",
    "ServiceName", "SkuPriceId", "ConsumedQuantity", "ConsumedUnit", "BilledCost",
    "EffectiveCost", "x_Requests", "x_InputTokens", "x_OutputTokens", "x_Unpriced", "x_RequestId",
)  # fmt: skip


def csv_pieces(statement: Statement) -> Iterator[str]:
    yield csv_text([COLUMNS])
    yield csv_text([_row(statement, line) for line in statement.lines.order_by("id")])


def _row(statement: Statement, line: StatementLine) -> tuple[object, ...]:
    cost = to_decimal(line.cost_nano)
    is_correction = line.kind == LineKind.CORRECTION
    return (
        statement.number,
        statement.organisation_name,
        statement.team_name,
        "USD",
        f"{statement.month:%Y-%m-%d}",
        f"{line.month:%Y-%m-%d}",
        "Usage",
        "Correction" if is_correction or line.month != statement.month else "",
        line.reason if is_correction else line.model,
        line.provider,
        line.model,
        line.price_version,
        line.input_tokens + line.output_tokens,
        "Tokens",
        cost,
        cost,
        line.requests,
        line.input_tokens,
        line.output_tokens,
        line.unpriced,
        line.request_id or "",
    )
