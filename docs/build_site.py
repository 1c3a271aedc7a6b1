"""What the site adds to mkdocs: the pages of the root, and links as the repository has them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
#: Files of the root that are pages of the site, and where.
PLACES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "DECISIONS.md": "decisions.md",
    "CHANGELOG.md": "changelog.md",
}
#: A fenced block, or code in a line, where nothing is a link; else an inline link or picture.
LINK = re.compile(
    r"^```.*?^```|`[^`\n]*`|(?P<mark>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the pages of the root."""
    for name, place in PLACES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write the links of a page, which are relative to its file, as links of the site.

    Raises
    ------
    PluginError
        For a link to a file that the repository does not have.
    """
    written = Path(str(page.file.abs_src_path)).relative_to(ROOT)

    def linked(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or re.match(r"[a-z]+:|#", target):
            return match[0]
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(written.parent.as_posix(), name))
        if not (ROOT / path).exists():
            raise PluginError(f"{written} links to {target}, which does not exist")
        place = PLACES.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(place) is None:
            # A file of the source, which the site does not have: its name stays as words.
            return match["words"]
        folder = posixpath.dirname(page.file.src_uri) or "."
        place = posixpath.relpath(place, folder) + (f"#{anchor}" if anchor else "")
        return f"{match['mark']}[{match['words']}]({place})"

    return LINK.sub(linked, markdown)
