"""Take pages in both themes at both sizes, as small PNGs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Page, ViewportSize

_COLOURS = 192


@dataclass(frozen=True)
class Camera:
    SIZES: ClassVar[dict[str, ViewportSize]] = {
        "1280": {"width": 1280, "height": 860},
        "390": {"width": 390, "height": 844},
    }

    folder: Path
    whole: bool = False

    def take(self, page: Page, name: str, *, at: str | None = None) -> None:
        """`at` is the selector of what must be in sight; None: the page as it lies."""
        for width, size in self.SIZES.items():
            page.set_viewport_size(size)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                page.wait_for_timeout(250)
                if at:
                    page.locator(at).first.evaluate("part => part.scrollIntoView({block: 'start'})")
                png = page.screenshot(full_page=self.whole)
                self._keep(png, self.folder / f"{name}-{width}-{theme}.png")
        page.set_viewport_size(self.SIZES["1280"])
        page.emulate_media(color_scheme="light")

    @staticmethod
    def _keep(png: bytes, path: Path) -> None:
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        few = picture.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(path, optimize=True)

    @staticmethod
    def chart() -> FilePayload:
        """Draw a chart that somebody may ask about."""
        picture = Image.new("RGB", (480, 300), "white")
        draw = ImageDraw.Draw(picture)
        for place, height in enumerate((38, 41, 40, 39, 16, 14, 37, 42, 40, 61, 38, 15, 13, 41)):
            left = 22 + place * 32
            draw.rectangle((left, 270 - height * 4, left + 20, 270), fill=(15, 118, 118))
        draw.line((14, 271, 470, 271), fill=(90, 100, 105), width=2)
        made = io.BytesIO()
        picture.save(made, "PNG")
        return {"name": "requests.png", "mimeType": "image/png", "buffer": made.getvalue()}
