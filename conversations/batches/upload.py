"""From a form to a batch: every prompt checked as it would be asked, and its worst case summed."""

from __future__ import annotations

from conversations.batches import book
from conversations.batches.book import Wanted
from conversations.batches.prompts import Prompt, PromptsRefused
from conversations.choices import Choices
from conversations.models import BatchJob, new_id
from conversations.threads import in_thread
from providers import gateway
from providers.engine.call import Caller, Source
from providers.engine.errors import EngineError
from providers.engine.request import CompletionRequest
from providers.models import Team, User


async def make(user: User, team: Team, wanted: Wanted) -> BatchJob:
    """Write it down, not started. Raises PromptsRefused, also where its route is not there."""
    caller = Caller(Source.BATCH, user.pk, team.pk)
    requests = [_request(wanted.choices, prompt) for prompt in wanted.prompts]
    try:
        found = await gateway.worst_case(requests, caller)
    except EngineError as error:
        raise PromptsRefused(error.message) from None
    faults = [
        f"Line {prompt.line:,}: {worst.refused.message}"
        for prompt, worst in zip(wanted.prompts, found, strict=True)
        if worst.refused is not None
    ]
    if faults:
        raise PromptsRefused(*faults)
    known = [worst.nano for worst in found if worst.nano is not None]
    total = sum(known) if len(known) == len(found) else None
    return await in_thread(book.make, (user, team), wanted, total)


def _request(choices: Choices, prompt: Prompt) -> CompletionRequest:
    return CompletionRequest(
        id=new_id(),
        route=choices.route,
        messages=book.messages(prompt.system or choices.system_prompt, prompt.text),
        temperature=choices.temperature,
        max_output_tokens=choices.max_output_tokens,
    )
