"""The pictures of the documentation are what the program says today. With UPDATE=1 they are made anew."""

import hashlib
import os
import re
import subprocess
import xml.etree.ElementTree

import harness
import picture

DEMO = harness.ROOT / "docs" / "pictures" / "demo.svg"
DEMO_S = 120
# What is another at each start: a pattern, whose first group stands for it, and how a picture spells it.
CHANGES = [
    (r"tidegate explain (\S+)", "request", 15),
    (r"(?:http://|API demo \()([a-z0-9]{10})\b", "api", 10),
    (r"route GET \S+ \(([a-z0-9]{7})\)", "route", 7),
    (r"integration demo:80 \(([a-z0-9]{7})\)", "integration", 7),
    (r"  link demo \(([a-z0-9]{6})\)", "link", 6),
    (r"\beni-([0-9a-f]{17})\b", "interface", 17),
    (r"\bsg-([0-9a-f]{17})\b", "group", 17),
]


def said():
    """What the demo says to a person who has it end by itself, on whatever machine, with every id and port the same each time."""
    words = [harness.binary(), "demo", "--once", "--fabric", "proxy"]
    done = subprocess.run(words, env=harness.environment(), capture_output=True, text=True, timeout=DEMO_S)
    assert done.returncode == 0, done
    text = re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:8080", done.stdout)
    for pattern, kind, length in CHANGES:
        for at, found in enumerate(dict.fromkeys(re.findall(pattern, text))):
            digits = hashlib.sha256(f"{kind} {at}".encode()).hexdigest()
            text = text.replace(found, digits[:length])
    return text


def scene(text):
    """The part of the walk that people look at: how it breaks, why, and what mends it."""
    found = re.search(r"^== Break it.*?(?=\n+This server ends now)", text, re.MULTILINE | re.DOTALL)
    assert found, text
    # The request ids are said twice, one line apart.
    lines = found.group(0).splitlines()
    return ["$ tidegate demo", "...", *lines]


def test_the_picture_of_the_demo_is_what_it_says():
    title = "tidegate demo: a rule is revoked, the request is refused, explained, mended and answered"
    wanted = picture.svg(title, scene(said()))
    xml.etree.ElementTree.fromstring(wanted)
    if os.environ.get("UPDATE"):
        DEMO.write_text(wanted)
    found = DEMO.read_text()
    assert found == wanted, f"docs/pictures/demo.svg is stale: run this script with UPDATE=1\n{picture.text(wanted)}"
    shown = "".join(picture.text(found))
    for part in ("503 Service Unavailable", "SG_INGRESS_DENIED", "aws ec2 authorize-security-group-ingress", "200 OK"):
        assert part in shown, f"{part} is not in the picture: {shown}"


def test_the_readme_shows_it():
    assert "(docs/pictures/demo.svg)" in (harness.ROOT / "README.md").read_text()


if __name__ == "__main__":
    harness.main()
