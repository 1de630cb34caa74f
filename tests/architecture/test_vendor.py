"""What we vendor is what the registry published, to the byte."""

import base64
import hashlib
import json
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "static" / "vendor"


def test_every_vendored_file_has_its_recorded_hash():
    recorded = json.loads((VENDOR / "vendor.lock.json").read_text())["files"]
    present = {
        str(path.relative_to(VENDOR)): "sha512-"
        + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
        for path in VENDOR.glob("*/*")
    }
    assert present == recorded
