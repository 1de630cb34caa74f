"""What the engine and health go by, in their own types, as it is configured now."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from providers.engine.batches import Limits as BatchLimits
from providers.engine.ports import BreakerLimits
from providers.engine.quotas import Quota, Quotas
from providers.engine.request import Role
from providers.engine.steps.cache import Limits as CacheLimits
from providers.engine.steps.retry import RetryLimits
from providers.engine.steps.validation import Sizes, Validation
from providers.health.in_force import Caps
from providers.health.ladder import Ladder
from providers.health.live import Numbers
from providers.health.score import Weights


def batch_limits() -> BatchLimits:
    batches = settings.GAIWEB.embeddings
    return BatchLimits(batches.batch_size, batches.wait_s, batches.in_flight)


def cache_limits() -> CacheLimits:
    cache = settings.GAIWEB.cache
    return CacheLimits(ttl_s=cache.ttl_s, stale_ttl_s=cache.stale_ttl_s)


def validation() -> Validation:
    features = settings.GAIWEB.features
    prompts = settings.GAIWEB.prompts
    return Validation(
        most=Sizes(
            messages=prompts.most_messages,
            message_characters=prompts.most_message_characters,
            characters=prompts.most_prompt_characters,
            message_tokens=prompts.most_message_tokens,
            tokens=prompts.most_prompt_tokens,
            attachment_bytes=prompts.most_attachment_bytes,
        ),
        roles=frozenset(map(Role, settings.GAIWEB.allowed_roles)),
        allows_tools=features.enable_tools,
        allows_streaming=features.enable_streaming,
    )


def most_steps() -> int:
    features = settings.GAIWEB.features
    return int(features.max_steps_per_user) if features.enable_multi_step else 1


def numbers() -> Numbers:
    """Give what health goes by, as it is configured now."""
    health, ladder = settings.GAIWEB.health, settings.GAIWEB.degradation
    return Numbers(
        ladder=Ladder(
            ladder.simplified_below,
            ladder.essential_below,
            ladder.emergency_below,
            ladder.margin,
            ladder.dwell_s,
        ),
        weights=Weights(
            few=health.few,
            error=health.weight_error,
            limit=health.weight_limit,
            repaired=health.weight_repaired,
            latency=health.weight_latency,
            open=health.weight_open,
            half_open=health.weight_half_open,
            saturation=health.weight_saturation,
            database=health.weight_database,
            cache=health.weight_cache,
        ),
        caps=Caps(
            simplified_tokens=ladder.simplified_tokens,
            essential_tokens=ladder.essential_tokens,
            fast_route=ladder.fast_route,
            retry_after_s=ladder.retry_after_s,
        ),
        every_s=health.every_s,
        window=timedelta(seconds=health.window_s),
        capacity=health.capacity,
        automatic=ladder.automatic,
    )


def breaker_limits() -> BreakerLimits:
    calls = settings.GAIWEB.calls
    return BreakerLimits(
        threshold=calls.breaker_threshold,
        rest_s=calls.breaker_reset_s,
        probes=calls.breaker_probes,
        successes=calls.breaker_successes,
        longest_rest_s=calls.breaker_longest_rest_s,
        window_s=calls.breaker_window_s,
        volume=calls.breaker_volume,
        error_rate=calls.breaker_error_rate,
    )


def retry_limits() -> RetryLimits:
    calls = settings.GAIWEB.calls
    return RetryLimits(
        first_wait_s=calls.backoff_base_s,
        longest_wait_s=calls.backoff_max_s,
        share=calls.retry_budget,
        least=calls.retry_budget_least,
    )


def quotas() -> Quotas:
    callers = settings.GAIWEB.callers
    return Quotas(
        key=Quota(callers.key_rpm, callers.key_tpm, callers.key_parallel),
        user=Quota(callers.user_rpm, callers.user_tpm, callers.user_parallel),
        team=Quota(callers.team_rpm, callers.team_tpm, callers.team_parallel),
        playground=Quota(parallel=callers.playground_parallel),
    )
