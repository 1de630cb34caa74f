"""Markdown of an answer -> HTML that is safe to show; done once, when the answer is complete."""

from __future__ import annotations

import html
import json
import re

import nh3
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

MAX_CHARACTERS = 200_000
"""Above it the text is shown plain: no answer may keep a thread busy for seconds."""

_TAGS = {
    "a", "blockquote", "br", "code", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "div": {"class", "tabindex"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "span": {"class"},
}
_LINKS = ("https://", "http://", "mailto:", "#")
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def to_html(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        return f'<pre class="plain" tabindex="0">{html.escape(text)}</pre>'
    return nh3.clean(
        _markdown().render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_only_safe_links,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes=set(),
    )


def json_to_html(text: str) -> str:
    """Show JSON as code, indented; what is none is shown as any other answer."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return to_html(text)
    pretty = json.dumps(value, indent=2, ensure_ascii=False)
    if len(pretty) > MAX_CHARACTERS:
        return to_html(text)
    return nh3.clean(_highlighted(pretty, "json", ""), tags=_TAGS, attributes=_ATTRIBUTES)


def _only_safe_links(_tag: str, name: str, value: str) -> str | None:
    # A relative address of a model's would lead somewhere in this product.
    return None if name == "href" and not value.lower().startswith(_LINKS) else value


def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "highlight": _highlighted})
    parser.enable(["table", "strikethrough"])
    # A remote picture tells its server who reads the answer: its words stay, it does not.
    parser.disable("image")
    return parser


def _highlighted(code: str, language: str, _attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language) if language else None
    except ClassNotFound:
        lexer = None
    body = highlight(code, lexer, _FORMATTER) if lexer else html.escape(code)
    name = re.sub(r"[^\w+#-]", "", language) or "text"
    return f'<pre class="code" tabindex="0"><code class="language-{name}">{body}</code></pre>'
