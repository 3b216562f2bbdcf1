"""Tidegate for tests in Python: a server, started and ended, and its commands. The pytest plugin is beside this module; the server itself is the
program `tidegate`, which this package brings along."""

import json
import os
import select
import shutil
import subprocess
import sysconfig
import time

READY_S = 30
STOP_S = 30
COMMAND_S = 120
# Headers in which answers tell their request id: of HTTP APIs, of REST APIs, and of AWS's own calls.
REQUEST_IDS = ("apigw-requestid", "x-amzn-requestid", "x-amz-request-id")


class TidegateError(Exception):
    """A command did not do what it was asked; the text is what it said."""


def program():
    """The path of the program: $TIDEGATE_BIN, else the one of this environment, else that of PATH."""
    named = os.environ.get("TIDEGATE_BIN")
    if named:
        return named
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin", "tidegate")
    for path in (os.path.join(sysconfig.get_path("scripts"), "tidegate"), beside, shutil.which("tidegate")):
        if path and os.path.exists(path):
            return path
    raise TidegateError("no program `tidegate`: install the package, or name one by TIDEGATE_BIN")


class Running:
    """A server that runs, whoever started it. `ready` is what `tidegate up --output json` printed."""

    def __init__(self, ready):
        self.api, self.public, self.public_tls = ready["api"], ready["public"], ready["public_tls"]
        self.region = ready["region"]

    def env(self):
        """The environment in which AWS's clients, Terraform and `tidegate` find this server."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
        return env | {
            "AWS_ENDPOINT_URL": self.api,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "TIDEGATE_API": self.api,
        }

    def client(self, service):
        """A client of boto3 for this server, where boto3 is installed."""
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.api, region_name=self.region, **keys)

    def run(self, *words, codes=(0,)):
        """A command of `tidegate`; what it prints as JSON."""
        words = [program(), *words, "--output", "json"]
        done = subprocess.run(words, env=self.env(), capture_output=True, text=True, timeout=COMMAND_S)
        if done.returncode not in codes:
            raise TidegateError(done.stderr.strip() or done.stdout.strip())
        return json.loads(done.stdout) if done.stdout.strip() else None

    def url(self, api, path="/", stage="$default"):
        """Where a stage of an API answers, by path: it needs no name to resolve."""
        place = "" if stage == "$default" else f"/{stage}"
        return f"{self.api}/_aws/execute-api/{api}{place}/{path.lstrip('/')}"

    def attach(self, private, host, *groups, vpc=None):
        """Lets a program at `host` serve the private address."""
        words = [word for group in groups for word in ("--security-group", group)]
        words += ["--vpc", vpc] if vpc else []
        return self.run("attach", *words, private, host)

    def reset(self):
        """Forgets everything."""
        self.run("reset", "--yes")

    def tick(self, seconds):
        """Moves the clock."""
        self.run("tick", str(seconds))

    def wait_healthy(self, timeout_s=60):
        """Waits until links, load balancers and targets carry traffic."""
        told = self.run("wait", "--healthy", "--timeout", f"{int(timeout_s)}s", codes=(0, 4))
        if not told["healthy"]:
            raise TidegateError("not healthy: " + "; ".join(told["waiting_for"]))

    def explain(self, response):
        """Which hop decided about an answer, as `tidegate explain` tells it. `response` is a request id, or an answer of any client that
        has `headers`, such as those of requests, httpx and urllib, or boto3's."""
        return self.run("explain", request_id(response), codes=(0, 3, 4))

    def explained(self, response):
        """The same in sentences."""
        words = [program(), "explain", request_id(response)]
        done = subprocess.run(words, env=self.env(), capture_output=True, text=True, timeout=COMMAND_S)
        return done.stdout.strip() or done.stderr.strip()


class Server(Running):
    """One server of its own on free ports, in memory. Ends with `stop`, or as a context manager."""

    def __init__(self, args=()):
        words = [program(), "up", "--ephemeral", "--output", "json", "--log", "warn"]
        words += ["--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0", *args]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGATE_", "AWS_"))}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, env=env)
        ready = json.loads(self._first_line() or "null")
        if ready is None:
            self.stop()
            raise TidegateError("the server did not start")
        super().__init__(ready)

    def _first_line(self):
        deadline, read = time.monotonic() + READY_S, b""
        while not read.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
            if not select.select([self.process.stdout], [], [], left)[0]:
                break
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                break
            read += more
        return read.decode() if read.endswith(b"\n") else ""

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def request_id(response):
    """The id of a request, of an answer to it, or of the error that boto3 made of the answer."""
    if isinstance(response, str):
        return response
    response = getattr(response, "response", response)
    if isinstance(response, dict):
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    else:
        headers = response.headers
    found = {name.lower(): value for name, value in dict(headers).items()}
    for name in REQUEST_IDS:
        if name in found:
            return found[name]
    raise TidegateError(f"the answer has no request id: {sorted(found)}")
