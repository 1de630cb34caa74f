"""Answers are text of a stranger."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from conversations import rendering

PAYLOADS = (Path(__file__).parent / "xss.txt").read_text().splitlines()
SAFE_SCHEMES = ("https://", "http://", "mailto:", "#", "/")


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(rendering.to_html(text))
    return parser


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("frame", ["{}", "- {}", "> {}", "| {} |\n|---|", "```{}\nx\n```"])
def test_no_payload_becomes_active(payload: str, frame: str) -> None:
    page = seen(frame.format(payload))
    assert page.tags <= rendering._TAGS
    for name, value in page.attributes:
        assert name in {"href", "title", "class", "rel", "tabindex", "start"}
        if name == "href":
            assert value is not None
            assert value.startswith(SAFE_SCHEMES)


def test_markdown_of_models_is_shown() -> None:
    html = rendering.to_html("# Hi\n\n| a |\n|---|\n| 1 |\n\n~~no~~ **yes**\n\n3. three\n")
    for tag in ("<h1>", "<table>", "<s>", "<strong>", '<ol start="3">'):
        assert tag in html


def test_code_gets_classes_and_no_styles() -> None:
    html = rendering.to_html("```python\nreturn 'x < y'\n```")
    assert 'class="language-python"' in html
    assert '<span class="k">return</span>' in html
    assert "style" not in html
    assert "x &lt; y" in html


def test_an_unknown_language_is_plain_code() -> None:
    assert "<code" in rendering.to_html("```nonsense\n<b>\n```")


def test_a_huge_answer_is_shown_plain() -> None:
    html = rendering.to_html("<b>" * rendering.MAX_CHARACTERS)
    assert html.startswith('<pre class="plain"')
    assert "<b>" not in html
