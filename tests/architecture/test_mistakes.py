"""Every mistake that the engine must make impossible, and the test whose name says it.

The list is that of the engine's requirements, row by row. A test that is renamed or deleted is
missing here at once. Paths begin below `tests/`.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

MISTAKES = """
E1 unset is taken for zero
  providers/wire/test_chat_request.py::test_unset_is_not_zero
  engine/adapters/test_openai_encode.py::test_unset_is_not_sent
  engine/adapters/test_openai_encode.py::test_zero_is_sent
E1 a call of a tool is told in fragments alone
  engine/adapters/test_recordings.py::test_fragments_of_calls_join_to_the_whole_call_and_count_from_0
E1 an answer ends twice, or not at all
  engine/test_events_v1.py::test_whatever_happens_there_is_exactly_one_terminal_record_and_it_is_last
E1 the wire changes unnoticed
  engine/test_events_v1.py::test_the_wire_is_what_the_golden_file_says
E1 a token is counted in two buckets
  engine/test_usage.py::test_each_class_of_tokens_has_its_own_price_and_no_token_two
E1 an estimate passes for what a provider said
  engine/test_usage.py::test_a_sum_says_which_of_its_figures_somebody_guessed
  providers/rest/test_answers.py::test_every_bucket_of_usage_is_told_and_which_of_it_was_estimated
E1 a request that is sent twice is paid for twice
  journeys/gateway/test_gateway_idempotency.py::test_the_same_key_gets_the_same_answer_and_no_second_charge
  journeys/gateway/test_gateway_idempotency.py::test_the_same_key_with_another_request_is_refused_in_words
  journeys/gateway/test_gateway_idempotency.py::test_an_answer_whose_caller_has_gone_is_there_when_they_come_back
E1 the signature of a thought is lost
  engine/test_loop.py::test_sealed_thoughts_go_back_in_their_place

E2 fallback on any error
  engine/steps/test_fallback.py::test_a_callers_400_and_a_content_block_are_not_asked_of_the_next
  engine/steps/test_fallback.py::test_a_cancellation_is_not_asked_of_the_next
  engine/steps/test_fallback.py::test_a_spent_budget_is_not_asked_of_the_next
E2 the same model name sent to every vendor
  engine/steps/test_fallback.py::test_each_vendor_is_asked_for_its_own_model_name
E2 causes dropped
  engine/steps/test_fallback.py::test_no_cause_is_dropped
  engine/test_codes.py::test_every_cause_of_a_route_that_failed_is_told
E2 nil or duplicate providers
  engine/steps/test_fallback.py::test_no_providers_and_the_same_one_twice_are_refused
E2 streams not covered
  engine/steps/test_fallback.py::test_streams_and_structured_output_fall_back_as_plain_text_does
E2 nested retries
  engine/steps/test_fallback.py::test_retries_are_not_nested
E2 a default wait that makes backoff dead code
  engine/test_failures.py::test_no_wait_is_made_up_which_would_make_backoff_dead_code
  engine/steps/test_retry.py::test_waits_double_and_end_at_thirty_seconds
E2 a deployment is tried that cannot take the prompt
  engine/steps/test_fallback.py::test_what_cannot_take_the_prompt_is_skipped_before_it_is_tried_and_said
E2 a slow primary eats the fallback's time
  engine/steps/test_fallback.py::test_a_slow_primary_may_not_eat_the_fallbacks_time
E2 one timeout for everything
  engine/sockets/test_upstream.py::test_silence_before_the_answer_times_out
  engine/sockets/test_upstream.py::test_silence_in_the_middle_times_out
  engine/sockets/test_connections.py::test_a_tls_handshake_that_never_ends_is_given_up_as_a_connection
  engine/test_pipeline.py::test_a_plain_answer_has_a_time_in_all_and_a_stream_has_none
E2 an event without content commits the answer
  engine/adapters/test_openai_responses.py::test_a_created_response_is_no_content_and_an_error_after_it_an_error
E2 a second answer is opened after content was shown
  engine/test_pipeline.py::test_after_its_first_content_a_failure_is_raised_and_nobody_else_is_asked
E2 a cut stream looks like a clean end
  engine/test_adapter_contract.py::test_a_stream_cut_after_any_frame_is_never_a_clean_end
  journeys/gateway/test_gateway_wires.py::test_a_stream_that_was_cut_is_never_a_clean_end_on_any_wire
E2 an error inside a good stream is overlooked
  engine/test_adapter_contract.py::test_an_error_inside_a_good_stream_is_an_error
E2 retries make an outage worse
  engine/test_retry_budget.py::test_an_outage_is_not_amplified_by_retries
E2 the server's own wait is overruled, or outlasts the deadline
  engine/steps/test_retry.py::test_the_servers_own_wait_wins
  engine/steps/test_retry.py::test_a_wait_beyond_the_deadline_is_not_begun
E2 a tool that ran runs again
  engine/test_loop.py::test_a_retry_does_not_run_a_tool_again
  engine/test_loop.py::test_a_fallback_does_not_run_a_tool_again

E3 a request, not the clock, half-opens it
  engine/steps/test_breaker.py::test_it_half_opens_by_the_clock_and_needs_no_request
E3 probes are counted when they end
  engine/steps/test_breaker.py::test_half_open_admits_five_at_once_and_cancelled_ones_give_their_permit_back
E3 a failed probe leaves it half-open
  engine/steps/test_breaker.py::test_one_failed_probe_opens_it_again
E3 rests never grow, or without bound
  engine/steps/test_breaker.py::test_a_failed_probe_opens_it_for_a_longer_rest_and_never_beyond_the_longest
E3 counters outlive a transition
  engine/steps/test_breaker.py::test_a_circuit_that_closed_begins_again_with_the_first_rest
E3 a late result changes a later state
  engine/steps/test_breaker.py::test_a_late_result_of_an_earlier_state_is_ignored
E3 a 4xx or a cancellation trips it
  engine/steps/test_breaker.py::test_an_error_of_the_4xx_family_does_not_trip_it
  engine/steps/test_breaker.py::test_a_cancellation_does_not_trip_it
  engine/steps/test_breaker.py::test_a_rate_limit_says_nothing_of_health
E3 a bug keeps its permit
  engine/steps/test_breaker.py::test_a_raised_bug_returns_its_permit
E3 callbacks run inside a lock
  engine/steps/test_breaker.py::test_who_is_told_of_a_transition_may_ask_the_breaker_at_once
E3 one team's key rests it for all
  engine/steps/test_breaker.py::test_a_teams_broken_key_does_not_rest_the_deployment_for_others
E3 every process counts for itself although Redis is there
  providers/state/test_shared_state.py::test_two_web_processes_and_a_worker_share_one_breaker
E3 any interleaving makes it illegal
  thorough/test_breaker_interleavings.py::TestInterleavings

E4 a rejected request counts
  engine/steps/test_caller_limits.py::test_a_refused_request_does_not_count
  engine/steps/test_caller_limits.py::test_a_request_that_a_later_step_refused_does_not_count
E4 a wait is named that is not true
  engine/steps/test_caller_limits.py::test_requests_a_minute_and_a_retry_after_that_is_true
E4 a wait without bound
  engine/steps/test_rate_limit.py::test_a_wait_that_is_too_long_is_refused_with_its_length
E4 new limits wait for a restart
  engine/steps/test_rate_limit.py::test_a_new_rate_holds_from_the_next_request
  engine/steps/test_caller_limits.py::test_new_numbers_hold_from_the_next_request
E4 a place is lost with its holder
  engine/steps/test_caller_limits.py::test_a_place_of_one_who_never_left_is_free_in_time
E4 tokens are never settled
  engine/steps/test_caller_limits.py::test_tokens_are_reserved_then_settled
E4 some of a wish is taken
  engine/test_limiter.py::test_all_of_a_wish_is_taken_or_nothing
E4 more passes than the rate
  engine/test_limiter.py::test_the_limiter_is_never_over_its_rate_for_any_arrival_pattern
  providers/state/test_shared_state.py::test_they_share_one_rate

E5 a score without its explanation, or of too few samples
  providers/health/test_score.py::test_the_system_s_score_and_its_words
  providers/health/test_score.py::test_few_samples_are_told_and_take_nothing_from_the_system
E5 a caller's mistake lowers the score
  providers/health/test_windows.py::test_a_caller_s_mistake_a_cancellation_and_our_refusal_never_count
E5 levels flap
  providers/health/test_ladder.py::test_no_flapping_whatever_the_score_does
E5 the request is mutated
  engine/steps/test_degradation.py::test_the_request_is_copied_and_never_mutated
E5 unset max tokens are not capped
  engine/steps/test_degradation.py::test_unset_max_tokens_is_capped_too
E5 an unconfigured or unhealthy route is chosen
  engine/steps/test_degradation.py::test_without_a_fit_fast_route_the_own_one_is_asked
E5 the caller is not told
  engine/steps/test_degradation.py::test_the_caller_is_told_in_words
E5 an override without end, reason or trace
  providers/health/test_overrides.py::test_nothing_is_set_without_a_reason_or_for_ever
  providers/health/test_overrides.py::test_a_level_is_set_for_a_team_told_and_audited
E5 a cached answer crosses to another team in an emergency
  engine/test_emergency.py::test_a_cached_answer_never_crosses_to_another_team_in_an_emergency
E5 an old answer comes without its age and a warning
  engine/test_emergency.py::test_a_kept_answer_is_given_with_its_age_and_the_guide_s_warning
E5 an essential answer still streams upstream
  engine/steps/test_degradation.py::test_only_essential_does_not_stream_upstream
E5 an emergency asks a provider all the same
  engine/steps/test_degradation.py::test_in_an_emergency_a_kept_answer_is_given_and_nothing_goes_upstream

E6 the cost limit is looked at when it is too late
  engine/test_loop.py::test_the_cost_limit_is_cumulative_and_checked_before_the_next_step_is_paid_for
E6 a run without end
  engine/test_loop.py::test_the_hard_cap_binds_whatever_a_request_asks
E6 an unknown or broken tool ends the run
  engine/tools/test_runner.py::test_an_unknown_tool_is_told_what_there_is
  engine/tools/test_runner.py::test_every_way_to_fail_is_an_error_result_that_the_model_sees
E6 a tool's inside reaches the model
  engine/tools/test_runner.py::test_a_broken_tool_tells_the_log_and_not_the_model
E6 a tool runs for somebody who may not use it
  engine/test_loop.py::test_a_tool_that_is_not_allowed_is_refused_by_name
E6 ids of calls and results are lost
  engine/test_loop.py::test_the_model_sees_its_calls_and_the_results_under_the_same_ids
E6 a value is invented
  engine/test_structured.py::test_no_value_is_made_up_completed_or_converted
  engine/test_structured.py::test_only_syntax_is_repaired
E6 an answer is asked for again and again
  engine/test_structured.py::test_what_stays_wrong_is_an_error_with_its_paths_and_nothing_of_the_answer

E7 an unknown event ends the answer
  engine/test_adapter_contract.py::test_unknown_events_and_comments_are_passed_over
E7 unknown fields are lost where the wire is passed through
  engine/test_adapter_contract.py::test_unknown_fields_of_the_same_wire_survive_and_others_do_not_cross
E7 a key in an URL
  engine/test_adapter_contract.py::test_the_key_travels_in_a_header_and_nowhere_else
  engine/adapters/test_embeddings.py::test_the_key_travels_in_a_header_and_nowhere_else
E7 a caller's image is fetched by us
  engine/test_adapter_contract.py::test_the_address_of_an_image_is_never_fetched_by_us
E7 an adapter that no operator can choose
  engine/test_adapter_contract.py::test_every_adapter_is_a_kind_that_an_operator_can_choose
E7 a split in the stream changes what is read
  engine/adapters/test_recordings.py::test_a_stream_gives_the_same_events_however_it_is_cut
  engine/test_sse.py::test_any_split_gives_the_same_events

E8 idle connections without bound, or for ever
  engine/sockets/test_connections.py::test_any_number_is_in_use_and_at_most_20_lie_idle_for_a_host
  engine/sockets/test_connections.py::test_at_most_100_lie_idle_in_all
  engine/sockets/test_connections.py::test_an_idle_connection_is_closed_when_its_time_is_over
E8 a total timeout cuts a stream
  engine/test_patience.py::test_each_wait_has_its_own_bound_and_the_sum_has_none
E8 a response fills the memory
  engine/sockets/test_bodies.py::test_what_cannot_be_opened_or_is_too_large_is_garbled
E8 a redirect is followed, and the key with it
  engine/sockets/test_connections.py::test_a_redirect_is_not_followed_and_no_key_goes_to_another_host
E8 a base URL leads inside
  engine/sockets/test_upstream.py::test_only_an_owner_lets_a_base_url_lead_inside
  engine/sockets/test_upstream.py::test_a_public_name_that_resolves_inside_is_refused
E8 a name is resolved again after it was checked
  engine/sockets/test_upstream.py::test_a_name_is_resolved_once_and_its_address_is_the_one_connected_to
E8 the proxy of the environment is passed by
  engine/sockets/test_upstream.py::test_the_proxy_of_the_environment_is_asked_unless_the_host_is_exempt

E9 two prompts share a key
  engine/test_answer_key.py::test_two_different_requests_never_share_a_key
  engine/test_answer_key.py::test_what_cannot_be_serialised_is_a_miss_never_a_shared_key
E9 an answer crosses to another team
  engine/steps/test_cache.py::test_another_team_never_gets_the_answer
  journeys/gateway/test_gateway_cache.py::test_another_teams_key_gets_its_own_answer
E9 an answer with tools, or one that chance gave, is kept
  engine/test_answer_key.py::test_tools_in_play_are_never_cached_not_even_when_asked
  engine/test_answer_key.py::test_a_prompt_that_may_be_answered_otherwise_is_cached_only_when_asked
E9 a truncated, refused, filtered, failed or huge answer is kept
  engine/steps/test_cache.py::test_an_answer_is_not_kept_when_it_is
  engine/steps/test_cache.py::test_an_answer_that_failed_half_way_is_not_kept
E9 a stream comes back in another form
  engine/steps/test_cache.py::test_a_stream_is_replayed_as_a_stream_and_plain_as_plain
E9 a stampede
  engine/steps/test_cache.py::test_a_hundred_same_prompts_at_once_are_asked_once
E9 a hit is not booked, or costs
  providers/ledger/test_hits.py::test_a_hit_is_an_entry_that_costs_nothing_with_what_it_saved
E9 objects are shared
  engine/steps/test_cache.py::test_what_is_kept_is_bytes_that_nobody_shares
E9 what lies outside can be read
  providers/answer_cache/test_tiers.py::test_what_lies_outside_is_packed_and_shows_nothing

E10 vectors go to somebody else
  engine/test_batches.py::test_callers_at_the_same_moment_share_a_request_and_get_their_own_vectors
  engine/test_batches.py::test_another_team_or_length_of_vectors_never_shares_a_request
E10 one bad input fails all
  engine/test_batches.py::test_one_bad_text_fails_alone
E10 an outage is multiplied
  engine/test_batches.py::test_an_outage_fails_all_and_is_not_multiplied_by_halves
E10 costs that do not add up
  engine/test_batches.py::test_the_parts_of_a_batch_cost_exactly_what_the_whole_costs
E10 batches without bound, or lost at the end
  engine/test_batches.py::test_requests_under_way_are_bounded
  engine/test_batches.py::test_at_the_end_of_the_process_what_waits_is_sent
E10 somebody is asked for who has left
  engine/test_batches.py::test_a_cancelled_waiter_is_dropped_before_the_batch_leaves

E11 it fires on what only looks like it, or not on what is hidden
  engine/filters/test_detectors.py::test_it_must_not_fire_on_what_only_looks_like_it
  engine/filters/test_detectors.py::test_it_must_fire_whole
E11 a find across two deltas passes
  engine/steps/test_filters.py::test_a_find_across_stream_deltas_is_replaced_whole
  engine/filters/test_passage.py::test_any_split_shows_what_the_whole_would_show
E11 text is held back without bound
  engine/filters/test_passage.py::test_what_is_held_is_bounded
E11 a broken detector lets it through
  engine/steps/test_filters.py::test_a_detector_that_breaks_blocks_the_request
  engine/steps/test_filters.py::test_a_detector_that_breaks_blocks_the_answer
E11 a pattern hangs a process
  engine/filters/test_detectors.py::test_no_pattern_can_hang_a_process
E11 placeholders change from turn to turn
  engine/filters/test_detectors.py::test_redaction_is_deterministic_and_changes_nothing_twice
E11 a tool's result passes by
  engine/steps/test_filters.py::test_what_a_tool_of_ours_finds_is_screened_before_the_model_sees_it
E11 the raw body carries out what the messages may not
  engine/steps/test_filters.py::test_a_raw_body_cannot_carry_out_what_its_messages_may_not
E11 a refusal does not say where
  engine/steps/test_validation.py::test_a_fault_names_its_field_and_its_kind

E12 an exhausted quota passes for a rate limit
  engine/test_codes.py::test_an_exhausted_quota_is_not_a_rate_limit
E12 a cancellation is an error
  engine/test_codes.py::test_a_cancellation_is_nobodys_error_to_be_shown
E12 an unknown error is retried or shows its inside
  engine/test_codes.py::test_an_unknown_error_is_not_retryable_and_shows_nothing_of_its_inside
E12 an error without a code
  engine/test_codes.py::test_every_error_has_a_row_of_its_own_with_codes_that_others_know

E13 spent and held exceed a limit
  providers/ledger/test_laws.py::test_any_mix_of_calls_stays_within_every_hard_budget
  providers/ledger/test_laws.py::test_processes_that_race_for_one_budget_never_overspend_it
  providers/ledger/test_crowd.py::test_a_crowd_with_a_killed_process_spends_what_it_may_and_loses_nothing
E13 a call ends in none or two of settled, released, expired
  thorough/test_any_mix_of_fates.py::test_any_mix_of_fates_settles_once_and_never_overspends
  providers/ledger/test_loss.py::test_expiry_and_settlement_in_a_race_close_each_hold_once
E13 a path leaves the upstream connection open
  engine/test_fault_matrix.py::test_a_fault_has_its_error_its_decision_and_one_settlement
E13 a fault script ends otherwise than once
  thorough/test_one_terminal_event.py::test_exactly_one_terminal_event_for_any_fault_script

all a clock of its own
  architecture/test_time_is_injected.py::test_the_engine_takes_time_sleep_and_luck_from_outside
all a prompt, an answer or a key leaks
  journeys/gateway/test_gateway_leaks.py::test_good_answers_leave_no_word_of_themselves
  journeys/gateway/test_gateway_leaks.py::test_failures_leave_no_word_of_the_prompt_or_the_key
  journeys/gateway/test_gateway_leaks.py::test_tools_leave_no_word_of_their_arguments_or_results
"""


def listed() -> dict[str, list[str]]:
    """Read the tests of each mistake."""
    found: dict[str, list[str]] = {}
    tests: list[str] = []
    for line in filter(None, MISTAKES.splitlines()):
        if line.startswith("  "):
            tests.append(line.strip())
        else:
            tests = found[line] = []
    return found


@cache
def names(path: Path) -> frozenset[str]:
    """List what pytest would collect: functions, and a state machine's test case."""
    nodes = ast.parse(path.read_text()).body
    assigned = (each for node in nodes if isinstance(node, ast.Assign) for each in node.targets)
    return frozenset({
        *(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)),
        *(each.id for each in assigned if isinstance(each, ast.Name)),
    })


@pytest.mark.parametrize(("mistake", "tests"), listed().items(), ids=listed())
def test_a_mistake_has_a_test_whose_name_says_it(mistake: str, tests: list[str]) -> None:
    assert tests, mistake
    for test in tests:
        file, _, name = test.partition("::")
        assert name in names(TESTS / file), test


def test_every_row_of_the_requirements_is_there() -> None:
    assert {mistake.split()[0] for mistake in listed()} == {
        "all",
        *(f"E{number}" for number in range(1, 14)),
    }
