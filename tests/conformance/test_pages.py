"""What the pages show can be typed: the walk of the first hour word for word and by the clock, every command and option that a page names, and the
files that it shows."""

import functools
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import harness
from harness import equal, in_order
from typed import blocks, pages, typed

# What a newcomer has, from the first command to the answers that the page promises.
FIRST_HOUR_S = 180
PAGES = [path for path in pages() if path.name != "CHANGELOG.md"]
# A command in a line of code: its words up to what a shell ends it by, a comment, or the program that it is to run.
COMMAND = re.compile(r"(?:^|[\s(`\"])tidegate ((?!-- )[^\s|;&#)`\"<>]+(?: +(?!-- )[^\s|;&#)`\"<>]+)*)")


def code(path):
    """Lines of blocks, and what stands between backquotes."""
    text = path.read_text()
    fenced = [line for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = [line[4:] for line in rest.splitlines() if line.startswith("    ")]
    between = [found for line in rest.splitlines() if not line.startswith("    ") for found in re.findall(r"`([^`]+)`", line)]
    return fenced + indented + between


@functools.cache
def helped(*words):
    """What the help of a command says; `None` where there is no such command."""
    done = subprocess.run([harness.binary(), *words, "--help"], capture_output=True, text=True, timeout=harness.COMMAND_S, env=harness.environment())
    return done.stdout if done.returncode == 0 else None


def wrong(words):
    """What of a command does not exist, in words; `None` where all does."""
    name, *rest = words
    # A word that stands for others.
    if not re.fullmatch(r"[a-z][a-z-]*", name):
        return None
    help = helped(name)
    if help is None:
        return f"no command {name}"
    if "\nCommands:" in help and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
        help = helped(name, rest[0])
        if help is None:
            return f"no command {name} {rest[0]}"
    for option in (word.strip("[].,").split("=")[0] for word in rest if word.lstrip("[").startswith("--")):
        if option.removesuffix("...") not in ("", "--", "--help") and not re.search(rf"{option}(?![\w-])", help):
            return f"{name} has no {option}"
    return None


def test_every_command_and_option_that_a_page_names_exists():
    found, problems = 0, []
    for path in PAGES:
        for line in code(path):
            for words in COMMAND.findall(line):
                found += 1
                why = wrong(words.split())
                problems += [f"{path.relative_to(harness.ROOT)}: {line.strip()}: {why}"] if why else []
    assert not problems, "\n".join(problems)
    assert found > 100, f"only {found} commands were found on {len(PAGES)} pages"


def test_the_first_hour_is_as_it_is_written():
    page = harness.ROOT / "docs" / "first-hour.md"
    begun = time.monotonic()
    said = typed("".join(blocks(page, "sh")).splitlines())
    took_s = time.monotonic() - begun
    in_order(
        said,
        "svc.example.com is published.",
        "with a token of http://127.0.0.1:9100 for shop",
        "HTTP/2 401",
        "HTTP/2 200",
        '"path": "/hello"',
        "TOKEN_MISSING",
        "10 requests a second, 20 at once",
        "guarded by tokens",
        "nothing of it is left",
        "has ended",
    )
    print(f"    {took_s:.1f} s, all of it")
    assert took_s < FIRST_HOUR_S, f"it took {took_s:.0f} s"


def test_files_that_pages_show_are_taken():
    settings = blocks(harness.ROOT / "docs" / "configuration.md", "toml")
    assert settings
    for text in settings:
        # Every setting is judged; only where to listen is ours.
        server = harness.Server(config=text)
        equal(server.ready["api"].split(":")[0], "http")
        server.close()
    [services] = blocks(harness.ROOT / "docs" / "publish.md", "yaml")
    with tempfile.TemporaryDirectory(prefix="tidegate-pages-") as scratch:
        file = Path(scratch, "services.yaml")
        file.write_text(services)
        # A script that does not say --yes is shown the plan.
        shown = harness.server().tidegate("publish", "-f", str(file), check=False)
    equal(shown.returncode, 2, shown)
    for host in re.findall(r"host: (\S+)", services):
        assert re.search(rf"create\s+{re.escape(host)}", shown.stdout + shown.stderr), shown


def test_what_the_page_on_ci_shows_of_rust_is_the_crate_s_own_example():
    [shown] = blocks(harness.ROOT / "docs" / "ci.md", "rust")
    source = (harness.ROOT / "crates" / "tidegate" / "src" / "embedded.rs").read_text()
    [example] = re.findall(r"/// ```\n(.*?)/// ```\n", source, re.DOTALL)
    # Hidden lines of it are those that only a test needs.
    lines = [line.removeprefix("/// ").removeprefix("///") for line in example.splitlines()]
    equal(shown.splitlines(), [line for line in lines if not line.startswith("# ")])


def reasons():
    """Each reason code with what its comment says of it."""
    text = (harness.ROOT / "crates" / "topology" / "src" / "reason.rs").read_text()
    listed = text.split("\nreasons! {\n", 1)[1].split("\n}\n", 1)[0]
    found = re.findall(r"((?: *///.*\n)+) *\w+ \"([A-Z0-9_]+)\",", listed + "\n")
    return [(code, re.sub(r"\s*/// ?", " ", comment).strip()) for comment, code in found]


def test_the_page_on_troubles_lists_every_reason_code():
    page = harness.ROOT / "docs" / "troubleshooting.md"
    head = page.read_text().split("with UPDATE=1. -->\n", 1)[0] + "with UPDATE=1. -->\n"
    rows = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in reasons())
    wanted = f"{head}\n| code | what it says |\n|---|---|\n{rows}"
    if os.environ.get("UPDATE"):
        page.write_text(wanted)
    assert page.read_text() == wanted, "docs/troubleshooting.md is stale: run this script with UPDATE=1"
    known = {code for code, _ in reasons()}
    assert len(known) > 70, known
    # What the part above it names is there.
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", head)) - {"API_ID"}
    equal(named - known, set())


if __name__ == "__main__":
    harness.main()
