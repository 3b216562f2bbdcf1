#!/usr/bin/env python3
"""A program of one tier: it says who it is, and what the first of the next tier's addresses said that answers.

    python3 tier.py data-0
    python3 tier.py app-0 10.0.30.10:8080 10.0.31.10:8080

It listens where HOST and PORT say, as `tidegate run` sets them. Standard library only.
"""

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Silence is an answer too: no address is waited for longer.
PATIENCE_S = 5


def behind(addresses):
    """What the next tier says; `None` where nobody of it answers."""
    for address in addresses:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            continue
    return None


def handler(name, addresses):
    class Tier(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            told = {"tier": name}
            if addresses and self.path != "/health":
                told["behind"] = behind(addresses)
            status = 200 if told.get("behind", True) else 503
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    return Tier


if __name__ == "__main__":
    where = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "0")))
    ThreadingHTTPServer(where, handler(sys.argv[1], sys.argv[2:])).serve_forever()
