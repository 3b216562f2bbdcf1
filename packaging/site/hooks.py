"""What the site is made of: every page of the repository and every file that one of them leads to, at the place where it lies there, so that links hold in both. And
`llms.txt`, a list of the pages for programs that read."""

import re
import textwrap
from pathlib import Path

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "clients/**/*.md", "packaging/**/*.md")
# What the list says of a page, at most.
ABOUT_CHARS = 240
LINK = re.compile(r"\]\(([^)\s#]+)")


def pages():
    """Every page, its path from the root."""
    return [path.relative_to(ROOT) for pattern in PAGES for path in sorted(ROOT.glob(pattern))]


def linked(page):
    """Files beside pages that a page leads to."""
    for target in LINK.findall((ROOT / page).read_text()):
        path = (ROOT / page).parent.joinpath(target).resolve()
        if ":" not in target and path.is_file() and path.suffix != ".md":
            yield path.relative_to(ROOT)


def on_files(files, config):
    """The files of the repository in place of those of one directory; what the theme brings stays."""
    made = Files([file for file in files if file.src_dir != config.docs_dir])
    listed = set(re.findall(r"[\w/-]+\.md", (Path(config.config_file_path)).read_text()))
    beside = {path for page in pages() for path in linked(page)}
    beside.add(Path(__file__).with_name("wide.css").relative_to(ROOT))
    for path in [*pages(), *sorted(beside)]:
        # A decision is reached from the list of all.
        is_listed = path.suffix != ".md" or str(path) in listed
        inclusion = InclusionLevel.INCLUDED if is_listed else InclusionLevel.NOT_IN_NAV
        made.append(File.generated(config, str(path), abs_src_path=str(ROOT / path), inclusion=inclusion))
    return made


def on_post_build(config):
    """Writes the list of the pages."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for section in config.nav:
        for title, inside in section.items():
            entries = inside if isinstance(inside, list) else [{title: inside}]
            lines += ["", f"## {title}", ""]
            lines += [f"- [{name}]({path}): {about(path)}" for entry in entries for name, path in entry.items()]
    Path(config.site_dir, "llms.txt").write_text("\n".join(lines) + "\n")
    for page in pages():
        # The text itself, where the list leads.
        Path(config.site_dir, page).write_text((ROOT / page).read_text())


def about(path):
    """The beginning of what stands below the title."""
    text = re.sub(r"```[^`]*```|^(?:#|\||    )[^\n]*$|<!--.*?-->", "", (ROOT / path).read_text(), flags=re.DOTALL | re.MULTILINE)
    first = next((part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()), "")
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", " ".join(first.split()))
    return textwrap.shorten(plain, ABOUT_CHARS, placeholder=" ...")
