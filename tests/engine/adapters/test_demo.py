from __future__ import annotations

import asyncio

from providers.engine.adapters.demo import DemoAdapter
from providers.engine.call import Attempt, Call
from providers.engine.events import Event, Finish, FinishReason, TextDelta, UsageReported
from providers.engine.usage import Usage
from tests.fakes import CALLER, a_deployment, a_request, a_route


async def demo(text: str = "How do tides work?", **fields: object) -> list[Event]:
    deployment = a_deployment(kind="demo")
    call = Call(a_request(text, **fields), CALLER, a_route(deployment), 0.0)
    async with DemoAdapter(asyncio.sleep).open(Attempt(call, deployment, 0.0), None) as reply:
        return [event async for event in reply.events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_it_streams_markdown_about_the_prompt_with_a_list_and_code() -> None:
    events = await demo()
    text = text_of(events)
    assert "How do tides work" in text
    assert "\n1. **" in text
    assert text.count("```") == 2
    assert sum(isinstance(event, TextDelta) for event in events) > 20
    assert events[-1] == Finish(FinishReason.STOP)


async def test_the_same_prompt_gets_the_same_words_and_a_seed_others() -> None:
    assert await demo() == await demo()
    texts = {text_of(await demo(seed=seed)) for seed in range(5)}
    assert len(texts) > 1


async def test_it_stops_at_the_limit_and_says_so() -> None:
    events = await demo(max_output_tokens=10)
    assert len(text_of(events)) == 40
    usage = next(event.usage for event in events if isinstance(event, UsageReported))
    assert usage == Usage(input_tokens=5, output_tokens=10)
    assert events[-1] == Finish(FinishReason.LENGTH)


async def test_its_pieces_take_their_time() -> None:
    began = asyncio.get_running_loop().time()
    events = await demo()
    pieces = sum(isinstance(event, TextDelta) for event in events)
    assert asyncio.get_running_loop().time() - began >= pieces * 0.02 * 0.99


async def test_a_plain_answer_comes_in_one_piece() -> None:
    events = await demo(stream=False)
    assert sum(isinstance(event, TextDelta) for event in events) == 1


async def test_no_prompt_breaks_out_of_the_sentence_or_the_code() -> None:
    text = text_of(await demo("{x} ``` `*`\n# \"'} {0}"))
    assert text.count("```") == 2
    compile(text.split("```python\n")[1].split("```")[0], "demo", "exec")
