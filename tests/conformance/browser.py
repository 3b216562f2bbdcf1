"""A real headless browser, Debian's chromium, driven by chromedriver over the WebDriver protocol (W3C Recommendation, WebDriver).

It believes the certificate whose key it is told of, finds names where it is told, and calls nobody else.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import serialization

import harness

STARTED = re.compile(rb"started successfully on port (\d+)")
# The key under which the protocol hands out elements.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
]


# What a driver says of an element whose page is gone. The last is a driver that asked its browser between the two pages.
GONE = ("stale element reference", "no such element", "no such window", "does not belong to the document")


class Browser:
    """A session with a profile of its own. `hosts` maps `NAME:PORT` to `ADDRESS:PORT`; all other names lead nowhere."""

    def __init__(self, certificate=None, hosts={}):
        for program in ("chromium", "chromedriver"):
            if not shutil.which(program):
                harness.missing(f"{program} is not on PATH")
        self.profile = tempfile.mkdtemp(prefix="tidegate-browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.session = None
        lines = iter(self.driver.stdout.readline, b"")
        port = next((found[1].decode() for found in map(STARTED.search, lines) if found), None)
        assert port, "chromedriver did not start"
        self.url = f"http://127.0.0.1:{port}/session"
        rules = [f"MAP {name} {address}" for name, address in hosts.items()] + ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
        flags = FLAGS + [
            f"--user-data-dir={self.profile}",
            f"--host-resolver-rules={','.join(rules)}",
        ]
        if certificate:
            flags.append(f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}")
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": flags, "binary": shutil.which("chromium")}}
        try:
            self.session = self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            self.url += f"/{self.session}"
        except BaseException:
            self.close()
            raise

    def ask(self, method, path, body=None):
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=harness.REQUEST_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from None

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def where(self):
        return self.ask("GET", "/url")

    def title(self):
        return self.ask("GET", "/title")

    def element(self, selector):
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def text(self, selector="body"):
        return self.ask("GET", f"/element/{self.element(selector)}/text")

    def type(self, selector, text):
        self.ask("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def follow(self, selector):
        """Clicks what leads to another page and waits for that: a driver may come back from the click while the old one is still shown."""
        element = self.element(selector)
        self.ask("POST", f"/element/{element}/click", {})
        harness.until("another page is shown", lambda: self.is_gone(element), harness.REQUEST_S)

    def is_gone(self, element):
        """Whether an element is on no page that is shown."""
        try:
            self.ask("GET", f"/element/{element}/name")
        except AssertionError as error:
            if any(why in str(error) for why in GONE):
                return True
            raise
        return False

    def click(self, selector):
        """Clicks what stays on its page."""
        self.ask("POST", f"/element/{self.element(selector)}/click", {})

    def run(self, script):
        """What a script returns that a person types into the browser's console."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": []})

    def picture(self, width, height):
        """What is shown in a window of this size, as a PNG."""
        self.ask("POST", "/window/rect", {"width": width, "height": height})
        return base64.b64decode(self.ask("GET", "/screenshot"))

    def cookies(self):
        """Those that the page where it is would be sent, by name."""
        return {cookie["name"]: cookie for cookie in self.ask("GET", "/cookie")}

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(harness.STOP_S)
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)


def fingerprint(certificate):
    """Of the key of a certificate (PEM), as chromium wants it."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()).decode()
