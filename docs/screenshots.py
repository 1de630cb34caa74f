"""Make the pictures of the README: a new installation, set up and used the way a person would.

    make screenshots

Starts `manage.py up` on a data directory of its own, walks the wizard in a real browser, runs
prompts against the demo and a fake provider, adds a month of made-up traffic, and takes every page
at 390 and 1280 px, light and dark.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "screenshots"
PORT = 8199
URL = f"http://127.0.0.1:{PORT}"
SIZES = {"1280": {"width": 1280, "height": 860}, "390": {"width": 390, "height": 844}}
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"

sys.path.insert(0, str(ROOT))
from tests.upstream import FakeUpstream  # noqa: E402  # only importable from the root

ANSWER = """A circuit breaker lets a failing dependency **rest**, so that callers fail fast
instead of waiting.

1. *Closed*: requests pass, failures are counted.
2. *Open*: after five failures in a row nothing is sent for 30 seconds.
3. *Half-open*: a few probes decide whether it closes again.

```python
if breaker.is_open:
    raise CircuitOpen(retry_after_s=breaker.rest_s)
```
"""

TRAFFIC = """
import random
from datetime import timedelta
from django.utils import timezone
from providers.models import Team, User
from tests.providers.spent import entry
random.seed(7)
now = timezone.now()
teams, users = [Team.objects.get()], [User.objects.get()]
for team, name in (("Ads", "ben"), ("Support", "cleo")):
    teams.append(Team.objects.create(name=team, slug=team.lower()))
    users.append(User.objects.create_user(name + "@example.com"))
models = (("openai/gpt-4o-mini", 9), ("anthropic/claude-sonnet-4-5", 60), ("groq/llama-3.1", 2))
for day in range(30):
    at = now - timedelta(days=29 - day)
    busy = (0.35 if at.weekday() > 4 else 1.0) * (1 + day / 40)
    for number in range(int(24 * busy * random.uniform(0.8, 1.2))):
        place = random.choices(range(3), (6, 3, 2))[0]
        model, price = random.choices(models, (5, 3, 4))[0]
        tokens = random.randint(200, 6000)
        moment = at - timedelta(minutes=random.randint(90, 300))
        who = {"at": moment, "user": users[place], "team": teams[place]}
        what = {"model": model, "route": model.split("/")[0]}
        entry(**who, **what, input_tokens=tokens * 3, output_tokens=tokens,
              ttft_ms=random.randint(180, 900), duration_ms=random.randint(900, 5000),
              cost_nano=tokens * price * 2500)
        if random.random() < 0.03:
            entry(**who, **what, code="upstream_overloaded", http_status=529)
"""


@contextmanager
def installation(data_dir: Path) -> Iterator[str]:
    """`manage.py up`; answers the set-up link."""
    environment = _environment(data_dir)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if link := re.search(r"http://\S+/setup/\S+", line):
                yield link.group()
                return
        raise SystemExit("the installation did not start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _environment(data_dir: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    return {
        **kept,
        "PORT": str(PORT),
        "GAIWEB_DATA_DIR": str(data_dir),
        "FAKE_KEY": "sk-fake-0123456789-a3F9",
    }


def manage(data_dir: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=_environment(data_dir), check=True
    )


def picture(page: Page, name: str) -> None:
    """Take the page in both themes at both sizes."""
    for width, size in SIZES.items():
        page.set_viewport_size(size)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_timeout(250)
            page.screenshot(path=OUT / f"{name}-{width}-{theme}.png")
    page.set_viewport_size(SIZES["1280"])
    page.emulate_media(color_scheme="light")


def walk_the_wizard(page: Page, link: str) -> None:
    page.goto(link)
    picture(page, "wizard-1-owner")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    page.wait_for_url("**/setup/provider/")
    picture(page, "wizard-2-provider")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/setup/budget/")
    picture(page, "wizard-3-budget")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/playground/**")
    picture(page, "playground-first")


def ask(page: Page, text: str, route: str) -> None:
    page.get_by_label("Model").select_option(route)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".figures").last).to_contain_text("Cost", timeout=30_000)


def use_the_playground(page: Page) -> None:
    ask(page, "How does a circuit breaker work?", "demo")
    page.goto(f"{URL}/playground/")
    ask(page, "Explain a circuit breaker in five lines, with code.", "default")
    picture(page, "playground-answer")


def visit_the_rest(page: Page) -> None:
    for name, path in {
        "health": "/health/",
        "costs": "/costs/?period=30d",
        "settings-providers": "/settings/providers/",
        "settings-routes": "/settings/routes/",
        "settings-budgets": "/settings/budgets/",
        "settings-keys": "/settings/keys/",
        "settings-policies": "/settings/policies/",
        "settings-members": "/settings/members/",
    }.items():
        page.goto(URL + path)
        picture(page, name)


def provide(data_dir: Path, upstream: FakeUpstream) -> None:
    upstream.text = ANSWER
    upstream.pause_s = 0.004
    for name in ("openai", "azure"):
        manage(data_dir, "provider", "add", name, "--kind", "openai_chat", "--local", "--base-url",
               upstream.openai_url, "--key-env", "FAKE_KEY")  # fmt: skip
    manage(data_dir, "route", "add", "default", "--to", "openai/gpt-4o-503", "--to", "azure/gpt-4o",
           "--input-price", "2.5", "--output-price", "10", "--max-output", "4096")  # fmt: skip


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeUpstream.serve() as upstream,
        sync_playwright() as playwright,
        installation(Path(folder)) as link,
    ):
        browser: Browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(viewport=SIZES["1280"]).new_page()
        walk_the_wizard(page, link)
        provide(Path(folder), upstream)
        use_the_playground(page)
        manage(Path(folder), "shell", "-v0", "-c", TRAFFIC)
        visit_the_rest(page)
        browser.close()


if __name__ == "__main__":
    main()
