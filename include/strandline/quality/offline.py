"""Makes the pages of Great Expectations readable without a network: they would load their style and scripts."""

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

STYLE: Final = "offline.css"
_LOGO: Final = "static/images/logo-long.png"
# Scripts are of no use without the libraries that they call.
_EXTERNAL: Final = re.compile(
    r'<link\b[^>]*\bhref="(?:https?:)?//[^>]*>|<script\b.*?</script>', re.DOTALL | re.IGNORECASE
)
_EXTERNAL_BACKGROUND: Final = re.compile(r"url\(['\"]?(?:https?:)?//[^)]*\)", re.IGNORECASE)
_EXTERNAL_IMAGE: Final = re.compile(r'(<img\b[^>]*\bsrc=")(?:https?:)?//[^"]*"', re.IGNORECASE)


def write_style(directory: Path) -> None:
    """Write the style that the pages share."""
    (directory / STYLE).write_text(files("strandline.quality").joinpath(STYLE).read_text())


def make_offline(page: Path, directory: Path) -> None:
    """Let a page load nothing but what is in the directory; one that does so already stays as it is."""
    html = page.read_text()
    up = Path(os.path.relpath(directory, page.parent)).as_posix()
    local = _EXTERNAL_BACKGROUND.sub("none", _EXTERNAL.sub("", html))
    local = _EXTERNAL_IMAGE.sub(rf'\g<1>{up}/{_LOGO}"', local)
    if local != html:
        # The style stands last, so that it is the one that counts. Killed here, the page is still the old one.
        written = page.with_suffix(".new")
        written.write_text(local.replace("</head>", f'<link rel="stylesheet" href="{up}/{STYLE}">\n</head>', 1))
        written.replace(page)
