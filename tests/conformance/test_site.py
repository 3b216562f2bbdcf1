"""The documentation as a site: every page is in it, every link of every page leads to something that is there, nothing is fetched from elsewhere, and the list
for programs leads to the texts."""

import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import harness
from harness import equal

BUILD_S = 120


class Page(HTMLParser):
    """What a page leads to, what it fetches, and the places in it that can be led to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.ids = [], [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag in ("script", "img", "iframe") and attrs.get("src"):
            self.fetched.append(attrs["src"])
        if tag == "link" and attrs.get("rel") != "canonical" and attrs.get("href"):
            self.fetched.append(attrs["href"])


@harness.once
def site():
    place = Path(tempfile.mkdtemp(prefix="tidegate-site-"))
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", harness.ROOT / "packaging" / "site" / "mkdocs.yml", "-d", place]
    done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S)
    equal(done.returncode, 0, done.stdout + done.stderr)
    return place


def pages():
    return {path: Page(path) for path in sorted(site().rglob("*.html")) if path.name != "404.html"}


def test_every_page_of_the_repository_is_in_it():
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "clients/**/*.md", "packaging/**/*.md"):
        found = list(harness.ROOT.glob(pattern))
        assert found, pattern
        for path in found:
            name = "index.html" if path.name == "README.md" else f"{path.stem}.html"
            made = site() / path.relative_to(harness.ROOT).parent / name
            assert made.is_file(), made


def test_every_link_leads_to_something_that_is_there():
    found, all = 0, pages()
    for path, page in all.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                assert link not in page.fetched, f"{path} fetches {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site())} leads to {link}"
            if parts.fragment and target in all:
                assert unquote(parts.fragment) in all[target].ids, f"{path.relative_to(site())} leads to {link}"
            found += 1
    assert found > 1000, found


def test_the_list_for_programs_leads_to_the_texts():
    listed = re.findall(r"^- \[(.+)\]\((\S+)\): (.*)$", (site() / "llms.txt").read_text(), re.MULTILINE)
    assert len(listed) > 25, listed
    for title, path, about in listed:
        equal((site() / path).read_text(), (harness.ROOT / path).read_text())
        assert len(about) > 20, f"nothing is said of {title}"


if __name__ == "__main__":
    harness.main()
