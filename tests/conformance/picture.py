"""A terminal's screen as an SVG: text in, picture out, the same bytes each time. What is on the screen is said by others."""

import re
import textwrap
from xml.sax.saxutils import escape

COLUMNS = 100
# The size of a character, and what is around the text, in pixels.
WIDE, HIGH, MARGIN, BAR = 8.4, 19, 18, 34
BACKGROUND, FRAME, PLAIN, DIM = "#0d1117", "#161b22", "#c9d1d9", "#8b949e"
GREEN, RED, YELLOW, WHITE = "#3fb950", "#f85149", "#e3b341", "#f0f6fc"
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# What a line looks like, the first that fits: its colour, and whether it is bold.
LOOKS = [
    (re.compile(r"\$ "), WHITE, True),
    (re.compile(r"== "), WHITE, True),
    (re.compile(r"GET .* -> 2\d\d "), GREEN, False),
    (re.compile(r"GET .* -> [45]\d\d "), RED, False),
    (re.compile(r".*  status \d+  (denied|failed)"), RED, True),
    (re.compile(r"  deny  "), RED, False),
    (re.compile(r"  pass  "), DIM, False),
    (re.compile(r"  aws "), YELLOW, True),
]


def wrapped(line):
    """A line folded between words where it is longer than the screen is wide; what follows stands under its beginning."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    return textwrap.wrap(line, COLUMNS, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False) or [""]


def svg(title, lines):
    """The picture of these lines, with a title that also says what it is to who does not see it."""
    drawn, row = [], 0
    for line in lines:
        colour, is_bold = next(((colour, bold) for look, colour, bold in LOOKS if look.match(line)), (PLAIN, False))
        for part in wrapped(line):
            row += 1
            indent = len(part) - len(part.lstrip(" "))
            shown = part.strip(" ")
            if shown:
                place = f'x="{MARGIN + indent * WIDE:g}" y="{BAR + MARGIN + (row - 0.3) * HIGH:g}"'
                size = f'textLength="{len(shown) * WIDE:g}" lengthAdjust="spacingAndGlyphs"'
                weight = ' font-weight="bold"' if is_bold else ""
                drawn.append(f'<text {place} {size} fill="{colour}"{weight} xml:space="preserve">{escape(shown)}</text>')
    width, height = 2 * MARGIN + COLUMNS * WIDE, BAR + 2 * MARGIN + row * HIGH
    dots = "".join(f'<circle cx="{MARGIN + 6 + at * 20}" cy="{BAR / 2:g}" r="6" fill="{dot}"/>' for at, dot in enumerate((RED, YELLOW, GREEN)))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" font-family="{FONT}" font-size="14">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACKGROUND}"/>',
            f'<path d="M0 {BAR}V8a8 8 0 0 1 8-8H{width - 8:g}a8 8 0 0 1 8 8V{BAR}Z" fill="{FRAME}"/>{dots}',
            *drawn,
            "</svg>\n",
        ]
    )


def text(picture):
    """What stands in a picture, row by row."""
    return re.findall(r'xml:space="preserve">([^<]*)</text>', picture)
