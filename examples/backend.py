#!/usr/bin/env python3
"""A private service to stand behind the load balancer: it answers every request with what it received, as JSON.

    python3 examples/backend.py --name a            # on a free port, which it prints
    python3 examples/backend.py --port 9000
    tidegate run --subnet subnet-... -- python3 examples/backend.py     # at $HOST and $PORT, as an address of the private network

Standard library only.
"""

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def handler(name):
    class Echo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length).decode("utf-8", "replace")
            headers = {key.lower(): value for key, value in self.headers.items()}
            seen = {"backend": name, "method": self.command, "path": self.path, "headers": headers, "body": body}
            payload = json.dumps(seen).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

        def log_message(self, format, *args):
            pass

    return Echo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="backend")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    options = parser.parse_args()
    host = os.environ.get("HOST", "127.0.0.1")
    server = ThreadingHTTPServer((host, options.port), handler(options.name))
    print(f"listening on {host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
