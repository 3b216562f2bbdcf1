"""A server at which one call fails, of those that change something: what is then left shows whether a command is all or nothing."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import harness


class Faults:
    """A way to the server on which one call that is counted is answered with 500, and does not reach it."""

    def __init__(self, server):
        faults = self
        self.count, self.at = 0, None
        where = urlsplit(server.api)

        class Pass(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                reads = self.command == "GET" or b"Action=Describe" in body or self.path.startswith("/_tidegate/status")
                faults.count += not reads
                if not reads and faults.count == faults.at:
                    return self.reply(500, {"x-amzn-errortype": "InternalFailure"}, b'{"message": "made to fail"}')
                onward = http.client.HTTPConnection(where.hostname, where.port, timeout=harness.REQUEST_S)
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                kept = {k: v for k, v in answer.getheaders() if k.lower() in ("content-type", "x-amzn-errortype")}
                self.reply(answer.status, kept, answer.read())
                onward.close()

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pass)
        self.server.daemon_threads = True
        self.api = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def fail(self, at):
        """The call of this number fails from now on, counted anew."""
        self.count, self.at = 0, at

    def close(self):
        self.server.shutdown()
        self.server.server_close()
