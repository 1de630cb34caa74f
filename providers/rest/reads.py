"""What each address answers, from the same reads as the pages."""

from __future__ import annotations

from django.utils import timezone

from providers import gateway
from providers.health import board, levels
from providers.health.board import DeploymentHealth
from providers.health.score import Score
from providers.ledger import balances
from providers.ledger.balances import Balance
from providers.people.permissions import Capability
from providers.reports import spending
from providers.reports.question import Group, Question, Span, Viewer
from providers.reports.spending import Figures
from providers.rest.asker import Asker
from providers.rest.schemas import (
    BudgetOut,
    BudgetsOut,
    DayOut,
    DeductionOut,
    DeploymentOut,
    FiguresOut,
    GroupOut,
    HealthOut,
    KeyOut,
    MeOut,
    ScoreOut,
    TeamOut,
    UsageOut,
    usd,
)


def me(asker: Asker) -> MeOut:
    team, key = asker.team, asker.key
    return MeOut(
        email=asker.user.email,
        organisation_role=asker.user.role,
        team=TeamOut(slug=team.slug, name=team.name) if team else None,
        team_role=asker.team_role,
        key=KeyOut(name=key.name, prefix=key.prefix, expires_at=key.expires_at) if key else None,
    )


def usage(asker: Asker, days: int, group: Group) -> UsageOut:
    asker.must(Capability.SEE_OWN_USE)
    found = spending.spend_by_day(Question(Span.of_last_days(days), _viewer(asker)), group)
    return UsageOut(
        first=found.span.first,
        last=found.span.last,
        time_zone=found.span.time_zone,
        group=found.group,
        total=_figures(found.total),
        groups=[
            GroupOut(key=each.key, label=each.label, **_figures(each.figures).dict())
            for each in found.groups
        ],
        days=[DayOut(day=each.day, **_figures(each.figures).dict()) for each in found.days],
        settling=found.settling,
        as_of=found.as_of,
    )


def budgets(asker: Asker) -> BudgetsOut:
    found = balances.for_caller(
        user_id=asker.user.pk,
        team_id=asker.team.pk if asker.team else None,
        key_id=asker.key.pk if asker.key else None,
        tag=asker.key.tag if asker.key else "",
    )
    return BudgetsOut(budgets=[_budget(each) for each in found])


def health(asker: Asker) -> HealthOut:
    asker.must(Capability.SEE_HEALTH)
    now = timezone.now()
    found, held = board.read(now, gateway.breakers()), levels.read(now)
    standing = held.standing(asker.team.pk if asker.team else None, now)
    return HealthOut(
        as_of=found.as_of,
        level=found.verdict.level,
        headline=found.verdict.headline,
        reason=found.verdict.reason,
        score=_score(held.score),
        degradation=standing.level,
        degradation_since=standing.since,
        degradation_until=standing.override.until if standing.override else None,
        deployments=[_deployment(each, held.scores.get(each.row.id)) for each in found.deployments],
    )


def _viewer(asker: Asker) -> Viewer:
    """Let a key read its holder's own use only, whatever else the holder may see on pages."""
    if asker.key is not None:
        return Viewer(user_id=asker.user.pk)
    if asker.may(Capability.SEE_ALL_COSTS):
        return Viewer(sees_all=True)
    sees_team = asker.team is not None and asker.may(Capability.SEE_TEAM_COSTS)
    team_ids = (asker.team.pk,) if asker.team is not None and sees_team else ()
    return Viewer(team_ids=team_ids, user_id=asker.user.pk)


def _figures(figures: Figures) -> FiguresOut:
    return FiguresOut(
        cost_usd=usd(figures.cost_nano),
        requests=figures.requests,
        attempts=figures.attempts,
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        unpriced=figures.unpriced,
    )


def _budget(balance: Balance) -> BudgetOut:
    return BudgetOut(
        name=balance.name,
        scope=balance.scope,
        owner=balance.owner,
        period=balance.period,
        hard=balance.is_hard,
        limit_usd=usd(balance.limit_nano),
        spent_usd=usd(balance.spent_nano),
        held_usd=usd(balance.held_nano),
        left_usd=usd(balance.left_nano),
        starts_at=balance.starts_at,
        resets_at=balance.resets_at,
        time_zone=balance.time_zone,
    )


def _deployment(found: DeploymentHealth, score: Score | None) -> DeploymentOut:
    failed = found.row.failed
    return DeploymentOut(
        provider=found.row.provider,
        model=found.row.model,
        enabled=found.row.is_enabled,
        condition=found.condition,
        success_share=found.samples.hour.share,
        attempts_judged=found.samples.hour.judged,
        p95_ms=found.samples.duration.p95,
        breaker=found.breaker.word if found.breaker else None,
        last_success_at=found.row.succeeded_at,
        last_error_code=failed.code if failed else None,
        last_error_at=failed.at if failed else None,
        score=_score(score),
    )


def _score(score: Score | None) -> ScoreOut | None:
    if score is None:
        return None
    deductions = [DeductionOut(**facts) for facts in score.facts()]
    return ScoreOut(value=score.value, samples=score.samples, deductions=deductions)
