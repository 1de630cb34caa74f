"""Prices: exact, once for every token, and never more than the worst case that was held."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.bounds import file_tokens, may_hold_audio, search_bound
from providers.engine.call import input_bytes
from providers.engine.request import Audio, File, Message, RawBody, Role
from providers.engine.usage import Price, Usage, total
from tests.fakes import a_request

PRICE = Price(
    input=Decimal(3),
    output=Decimal(15),
    version="test",
    cache_read=Decimal("0.3"),
    cache_write=Decimal("3.75"),
    cache_write_1h=Decimal(6),
    input_audio=Decimal(32),
    output_audio=Decimal(64),
    web_search=Decimal(10),
)
PLAIN = Price(input=Decimal(3), output=Decimal(15), version="test")


def test_each_class_of_tokens_has_its_own_price_and_no_token_two() -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=50,
        cache_read_tokens=20,
        cache_write_tokens=30,
        cache_write_1h_tokens=10,
        input_audio_tokens=5,
        output_audio_tokens=8,
    )
    text, heard, read, short, long = 45 * 3, 5 * 32, 20 * Decimal("0.3"), 20 * Decimal("3.75"), 60
    dollars_per_million = text + heard + read + short + long + 42 * 15 + 8 * 64
    assert PRICE.cost_nano(usage) == int(dollars_per_million * 1000)


def test_a_search_costs_its_thousandth() -> None:
    assert PRICE.cost_nano(Usage(0, 0, web_searches=3)) == 30_000_000
    assert PLAIN.cost_nano(Usage(0, 0, web_searches=3)) == 0


def test_a_class_without_a_price_of_its_own_costs_what_the_plain_one_does() -> None:
    usage = Usage(100, 50, 20, 30, cache_write_1h_tokens=10, input_audio_tokens=5)
    assert PLAIN.cost_nano(usage) == PLAIN.cost_nano(Usage(100, 50))


def test_sound_makes_the_worst_case_dearer_only_where_there_can_be_any() -> None:
    assert PRICE.worst_case_nano(10, 10) == (10 * 32 + 10 * 64) * 1000
    assert PRICE.worst_case_nano(10, 10, with_audio=False) == (10 * 6 + 10 * 15) * 1000


counts = st.integers(0, 10_000)


@settings(max_examples=200)
@given(st.tuples(*[counts] * 8))
def test_no_usage_within_its_bounds_costs_more_than_the_worst_case(drawn: tuple[int, ...]) -> None:
    sent, said, read, written, long, heard, spoken, searches = drawn
    # A server may report parts that exceed the whole; nothing is billed for more than the whole.
    read = min(read, sent)
    written = min(written, sent - read)
    usage = Usage(
        input_tokens=sent,
        output_tokens=said,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=long,
        input_audio_tokens=heard,
        output_audio_tokens=spoken,
        web_searches=searches,
    )
    for price in (PRICE, PLAIN):
        assert price.cost_nano(usage) <= price.worst_case_nano(sent, said, web_searches=searches)


def test_sound_is_expected_where_a_part_or_a_passed_field_can_bring_it() -> None:
    heard = Message(Role.USER, (Audio("data:audio/wav;base64,AA=="),))
    assert may_hold_audio(a_request(messages=(heard,)))
    assert may_hold_audio(a_request(raw=RawBody("openai_chat", {"modalities": ["audio"]}, {}, 9)))
    assert may_hold_audio(a_request(provider_options={"openai": {"audio": {"voice": "alloy"}}}))
    assert not may_hold_audio(a_request(raw=RawBody("openai_chat", {"n": 1}, {}, 9)))


def test_the_searches_of_a_server_are_bounded_by_what_its_tool_says() -> None:
    tools = [{"type": "web_search_20250305", "max_uses": 3}, {"type": "custom", "name": "f"}]
    assert search_bound(a_request(provider_options={"anthropic": {"tools": tools}})) == 3
    unlimited = [{"type": "web_search_20250305"}]
    assert search_bound(a_request(raw=RawBody("any", {"tools": unlimited}, {}, 9))) == 5
    assert search_bound(a_request(raw=RawBody("any", {"web_search_options": {}}, {}, 9))) == 1
    assert search_bound(a_request()) == 0


def test_a_sum_says_which_of_its_figures_somebody_guessed() -> None:
    said, half = Usage(1, 2), Usage(3, 4, estimated=True, estimated_figures=("output_tokens",))
    assert total([said, half]) == Usage(4, 6, estimated=True, estimated_figures=("output_tokens",))
    assert total([half, Usage(1, 1, estimated=True)]) == Usage(4, 5, estimated=True)


def test_a_small_file_may_fill_a_window_and_is_held_for_as_much() -> None:
    paper = Message(Role.USER, (File("https://a.test/b.pdf"),))
    assert file_tokens(a_request(messages=(paper, paper))) == 1_050_000
    assert file_tokens(a_request()) == 0


def test_options_for_a_provider_count_as_prompt() -> None:
    said = {"acme": {"messages": [{"role": "user", "content": "x" * 500}]}}
    plain, more = a_request("Hi"), a_request("Hi", provider_options=said)
    assert input_bytes(more) >= input_bytes(plain) + 500
