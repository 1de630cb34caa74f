"""Make the pictures of the README: a new installation, set up, used, and brought into an outage.

    make screenshots

Starts `manage.py up` on a data directory of its own, walks the wizard in a real browser, connects
a scripted provider under three names, books a month of traffic, talks in the playground, and takes
every page at 390 and 1280 px, light and dark. Last a provider goes down, and pages say so.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pictures import Camera  # noqa: E402
from scripted import ScriptedUpstream  # noqa: E402  # it uses the tests' upstream

OUT = ROOT / "docs" / "screenshots"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
PORT = int(os.environ.get("SCREENSHOTS_PORT", "8199"))
QUICK = {
    "GAIWEB_DEGRADATION_AUTOMATIC": "true",
    "GAIWEB_DEGRADATION_DWELL_S": "2",
    "GAIWEB_HEALTH_EVERY_S": "1",
    "GAIWEB_HEALTH_WINDOW_S": "20",
    "GAIWEB_BREAKER_RESET_S": "8",
    "GAIWEB_BREAKER_LONGEST_REST_S": "12",
    "GAIWEB_BACKOFF_BASE_S": "0.02",
    "GAIWEB_BACKOFF_MAX_S": "0.05",
}
"""An outage of minutes in seconds; nothing else differs from a new installation."""
SCHEMA = {
    "type": "object",
    "required": ["order", "customer", "items", "needed_by"],
    "properties": {
        "order": {"type": "string"},
        "customer": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object"}},
        "needed_by": {"type": "string", "format": "date"},
    },
}
PAGES = {
    "health": "/health/",
    "costs": "/costs/?period=30d",
    "statements": "/costs/statements/",
    "statement": "/costs/statements/1/",
    "batches": "/playground/batches/",
    "settings-providers": "/settings/providers/",
    "settings-routes": "/settings/routes/",
    "settings-prices": "/settings/prices/",
    "settings-budgets": "/settings/budgets/",
    "settings-tools": "/settings/tools/",
    "settings-keys": "/settings/keys/",
    "settings-policies": "/settings/policies/",
    "settings-cache": "/settings/cache/",
    "settings-audit": "/settings/audit/",
    "settings-members": "/settings/members/",
}


@dataclass(frozen=True)
class Installation:
    """`link` is that of the set-up."""

    data_dir: Path
    link: str
    url: str = f"http://127.0.0.1:{PORT}"

    @classmethod
    @contextmanager
    def running(cls, data_dir: Path) -> Iterator[Installation]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=_environment(data_dir),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            found = (re.search(r"http://\S+/setup/\S+", line) for line in process.stdout)
            link = next((each for each in found if each), None)
            if link is None:
                raise SystemExit("the installation did not start")
            drain = threading.Thread(target=process.stdout.read, daemon=True)
            drain.start()
            yield cls(data_dir, link.group())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)

    def manage(self, *lines: str) -> str:
        """Run commands one after the other in one process; answer what they said."""
        calls = [line.split() for line in lines]
        return self._python(
            "from django.core.management import call_command as call\n"
            f"for words in {calls}: call(*words)"
        )

    def seed(self, name: str) -> None:
        """Run a function of `docs/seeded.py` inside."""
        self._python(f"import seeded; seeded.{name}()")

    def _python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", code],
            cwd=ROOT,
            env=_environment(self.data_dir),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{code}: {done.stdout}{done.stderr}")
        return done.stdout


def _environment(data_dir: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    return {
        **kept,
        **QUICK,
        "PORT": str(PORT),
        "PYTHONPATH": str(ROOT / "docs"),
        "GAIWEB_DATA_DIR": str(data_dir),
        "OPENAI": "sk-fake-0123456789-a3F9",
        "ANTHROPIC": "sk-ant-fake-0123456789-Q7xw",
        "GROQ": "gsk_fake-0123456789-m2Kd",
    }


def walk_the_wizard(page: Page, home: Installation, camera: Camera) -> None:
    page.goto(home.link)
    camera.take(page, "wizard-1-owner")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    page.wait_for_url("**/setup/provider/")
    camera.take(page, "wizard-2-provider")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/setup/budget/")
    camera.take(page, "wizard-3-budget")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/playground/**")
    camera.take(page, "playground-first")


def connections(upstream: ScriptedUpstream) -> list[str]:
    local = f"--local --base-url {upstream.openai_url}"
    anthropic = f"--local --base-url {upstream.anthropic_url}"
    return [
        f"provider add openai --kind openai {local} --key-env OPENAI",
        f"provider add anthropic --kind anthropic {anthropic} --key-env ANTHROPIC",
        f"provider add groq --kind groq {local} --key-env GROQ",
    ]


def furnish(home: Installation, upstream: ScriptedUpstream) -> str:
    """Give it providers, routes, people and a past; answer the secret of a key."""
    home.manage(
        *connections(upstream),
        "route add default --to openai/gpt-4o-mini --to groq/llama-3.1-8b-instant",
        "route add writer --to anthropic/claude-sonnet-4-5 --to openai/gpt-4o-mini",
        "route add fast --to groq/llama-3.1-8b-instant --to openai/gpt-4o-mini --weights 3,1",
        "route add thinker --to groq/openai/gpt-oss-120b --lacks vision",
    )
    home.seed("settle_in")
    said = home.manage(
        "member add --email ben@example.com --team our-team --role admin",
        "member add --email dora@example.com --team our-team --role viewer",
        "member add --email cleo@example.com --team support --role member",
        "budget set --scope org --limit 60 --period month --hard",
        "budget set --scope team:our-team --limit 40 --period month --hard",
        "budget set --scope team:support --limit 15 --period month --soft",
        "budget set --scope user:ben@example.com --limit 2 --period day --hard",
        "key issue --user ben@example.com --name search-api --json",
        "key issue --user ada@example.com --name laptop --json",
    )
    home.seed("live_through_a_month")
    last_month = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    home.manage(f"statement make --month {last_month:%Y-%m}")
    secret = str(json.loads(said.splitlines()[-1])["key"])
    for number in range(18):
        call(home, secret, "default", f"Which team answers ticket {number % 5}?")
    return secret


def ask(page: Page, text: str, route: str) -> None:
    page.get_by_label("Model").select_option(route)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".answer .acts").last).to_be_visible(timeout=30_000)


def anew(page: Page, home: Installation) -> None:
    page.goto(f"{home.url}/playground/")


def use_the_playground(page: Page, home: Installation, camera: Camera) -> None:
    anew(page, home)
    ask(page, "Explain a circuit breaker in five lines, with code.", "default")
    camera.take(page, "playground-answer")
    anew(page, home)
    page.locator(".tuning > summary").click()
    page.get_by_label("customers").check()
    page.get_by_label("calculator").check()
    page.locator(".tuning > summary").click()
    ask(page, "Which plan does Tidewater have, and what does a year of it cost?", "default")
    camera.take(page, "playground-tools")
    anew(page, home)
    page.locator(".tuning > summary").click()
    page.get_by_label("Answer as").select_option("schema")
    page.get_by_label("JSON Schema of the answer").fill(json.dumps(SCHEMA, indent=2))
    page.locator(".tuning > summary").click()
    ask(page, "Take the order out of this mail: 12 hubs HUB-28 and 24 rims for Tidewater Cycles"
              " by 11 December, our number A-10442.", "default")  # fmt: skip
    camera.take(page, "playground-json")
    anew(page, home)
    ask(page, "A train leaves at 9:00 at 80 km/h, an express at 9:30 at 128 km/h. When do they"
              " meet?", "thinker")  # fmt: skip
    camera.take(page, "playground-thinking")
    anew(page, home)
    page.locator("[data-pictures]").set_input_files(camera.chart())
    ask(page, "What does this chart show?", "writer")
    page.mouse.wheel(0, -2000)
    camera.take(page, "playground-picture")
    home.seed("date_conversations")


def visit_the_rest(page: Page, home: Installation, camera: Camera) -> None:
    page.goto(f"{home.url}/settings/providers/")
    for name in ("anthropic", "demo", "groq", "openai"):
        page.get_by_role("button", name=f"Test {name}").click()
        expect(
            page.locator(".rows > li").filter(has_text=name).first.locator(".badge")
        ).to_have_text("Answers")
    home.seed("show_own_addresses")
    for name, path in PAGES.items():
        page.goto(home.url + path)
        camera.take(page, name)
    page.goto(f"{home.url}/settings/policies/")
    page.get_by_label("A text, as somebody might send it").fill(
        "Ana Ruiz (ana.ruiz@example.net, +1 415-555-2671) asks about CASE-204417."
    )
    page.get_by_role("button", name="Look through it").click()
    expect(page.locator("#tried mark").first).to_be_visible()
    camera.take(page, "settings-policies-tried", at="#patterns")
    page.goto(f"{home.url}/settings/tools/")
    page.get_by_role("link", name="Edit customers").click()
    page.get_by_label("Arguments in JSON").fill('{"query": "Okapi"}')
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tried")).to_contain_text("Okapi")
    camera.take(page, "settings-tool")
    page.goto(f"{home.url}/settings/budgets/")
    page.locator("main a[href$='/explained/']").first.click()
    camera.take(page, "settings-budget-explained")
    page.goto(f"{home.url}/settings/routes/")
    page.get_by_role("link", name="Edit fast").click()
    camera.take(page, "settings-route")


def call(home: Installation, secret: str, model: str, text: str) -> None:
    """Ask as a program does; an answer that it does not get is its own matter."""
    said = [{"role": "user", "content": text}]
    request = urllib.request.Request(
        f"{home.url}/v1/chat/completions",
        json.dumps({"model": model, "messages": said, "max_tokens": 60, "temperature": 0}).encode(),
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    with suppress(urllib.error.URLError):
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def load(home: Installation, secret: str) -> Iterator[None]:
    """Programs ask on, some ten times a second."""
    over = threading.Event()

    def ask_on() -> None:
        number = 0
        while not over.wait(0.1):
            number += 1
            model = ("default", "writer", "fast")[number % 3]
            call(home, secret, model, f"Sum up ticket {number}.")

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def live_through_an_outage(
    page: Page, home: Installation, camera: Camera, upstream: ScriptedUpstream, secret: str
) -> None:
    page.goto(f"{home.url}/health/")
    with load(home, secret):
        upstream.down |= {"claude-sonnet-4-5"}
        failing = page.locator(".deployment").filter(has_text="claude-sonnet-4-5")
        expect(failing).to_contain_text("Open", timeout=40_000)
        upstream.down |= {"gpt-4o-mini"}
        expect(page.locator(".ladder .in-force")).to_contain_text("Simplified", timeout=60_000)
        camera.take(page, "health-outage")
        anew(page, home)
        ask(page, "Explain a circuit breaker in five lines, with code.", "writer")
        camera.take(page, "playground-failure")
        upstream.down -= {"gpt-4o-mini"}
        page.goto(f"{home.url}/health/")
        second = page.locator(".deployment").filter(has_text="openai/gpt-4o-mini")
        expect(second).to_contain_text("Closed", timeout=60_000)
        anew(page, home)
        ask(page, "Write the note for the team about the outage.", "writer")
        camera.take(page, "playground-fallback")


def main(out: Path = OUT) -> None:
    out.mkdir(exist_ok=True)
    camera = Camera(out)
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedUpstream.serve() as upstream,
        sync_playwright() as playwright,
        Installation.running(Path(folder)) as home,
    ):
        assert isinstance(upstream, ScriptedUpstream)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(viewport=Camera.SIZES["1280"]).new_page()
        walk_the_wizard(page, home, camera)
        upstream.pause_s = 0.004
        secret = furnish(home, upstream)
        use_the_playground(page, home, camera)
        visit_the_rest(page, home, camera)
        home.manage(*connections(upstream))
        live_through_an_outage(page, home, camera, upstream, secret)
        browser.close()


if __name__ == "__main__":
    main()
