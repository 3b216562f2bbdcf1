"""What the scripts share: a server of one's own, clients, requests with a chosen Host, and a closing line.

A script defines functions named `test_*` and ends with `harness.main()`. Each function is one test; one that raises Skip is
skipped, any other exception fails it. The names say what must hold. A fresh server serves each script; a test that needs
another (other settings, a kill) starts it itself. The binary is $TIDEGATE_BIN, its ports are always free ones.
"""

import contextlib
import functools
import http.client
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "boto3"))

READY_S = 20
STOP_S = 20
REQUEST_S = 45
COMMAND_S = 300
REGION = "us-east-1"
# What curl calls a connection that the server ends in or behind the handshake.
HANDSHAKE_REFUSED = (16, 35, 52, 55, 56, 60, 98)
IN_CI = os.environ.get("CI") in ("1", "true")
SERVICES = ("sts", "ec2", "elbv2", "apigateway", "apigatewayv2", "logs", "acm")


# Set where a script runs in a network namespace of its own.
ISOLATED = "TIDEGATE_TEST_ISOLATED"


class Skip(Exception):
    """The test cannot run here, and says why."""


def missing(what):
    """A program that the tests want is not here: reason to skip one, and in CI a failure."""
    if IN_CI:
        raise AssertionError(f"{what}, and CI may not skip this")
    raise Skip(what)


def in_order(said, *parts):
    """All of these are in the text, each behind the one before."""
    at = 0
    for part in parts:
        found = said.find(part, at)
        assert found >= 0, f"{part} is not there, or not behind {said[:at]!r}:\n{said}"
        at = found + len(part)


def environment():
    """This environment without what leads to another server or account; servers use the proxy engine, unless they are told otherwise."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TIDEGATE_"))}
    return {**own, "TIDEGATE_FABRIC": "proxy"}


class Process:
    """A process that says in one line of JSON that it is ready, and the rest in a log in its `scratch` directory."""

    what, ready_s, stop_s = "process", READY_S, STOP_S
    process = None

    def begin(self, command, **how):
        """Starts it, and hands out its line; what there is of that, when it ends or takes too long, is told in the failure."""
        self.log = open(self.log_path(), "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, **how)
        line = self.first_line()
        try:
            return json.loads(line)
        except ValueError:
            self.kill()
            raise AssertionError(f"no ready line from {command}: {line!r}\n{self.tail()}") from None

    def first_line(self):
        deadline, read = time.monotonic() + self.ready_s, b""
        # Whatever number the pipe has: a script may have more than a thousand files open.
        comes = select.poll()
        comes.register(self.process.stdout, select.POLLIN)
        while not read.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not comes.poll(left * 1000):
                break
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                break
            read += more
        return read.decode(errors="replace")

    def kill(self):
        """As `kill -9`: nothing is flushed, nothing is said."""
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def end(self, how):
        if not self.process:
            return
        try:
            if self.process.poll() is None:
                self.process.send_signal(how)
                self.process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(self.stop_s)
            raise AssertionError(f"the {self.what} did not end within {self.stop_s} s of {how.name}\n{self.tail()}") from None
        finally:
            self.process.stdout.close()
            self.log.close()

    def status(self, name):
        """A number that the kernel tells of it, such as Threads, or VmRSS in KiB (proc_pid_status(5))."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        raise AssertionError(f"no {name} in the status of {self.process.pid}")

    def log_path(self):
        return os.path.join(self.scratch, f"{self.what}.log")

    def tail(self, lines=40):
        text = Path(self.log_path()).read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


class Server(Process):
    """One `tidegate up`; ephemeral unless it is given a data directory. It runs as this user of the machine, or as another by its number, and by
    what the words before it do."""

    what = "server"

    def __init__(self, data_dir=None, config=None, args=(), user=None, files=None, before=()):
        # Any script may be run with another engine than the one that it is about.
        fabric = os.environ.get("TEST_FABRIC")
        self.data_dir, self.args, self.user = data_dir, [*args, *(["--fabric", fabric] if fabric else [])], user
        # How many files it may have open.
        self.before = ["prlimit", f"--nofile={files}:{files}"] if files else [*before]
        self.scratch = tempfile.mkdtemp(prefix="tidegate-test-")
        self.program = binary()
        if user is not None:
            # What only this user may read is none of the other's.
            self.program = shutil.copy(self.program, os.path.join(self.scratch, "tidegate"))
            os.chown(self.scratch, user, user)
        self.config = None
        if config:
            self.config = os.path.join(self.scratch, "tidegate.toml")
            Path(self.config).write_text(config)
        self.start()

    def start(self):
        command = [*self.before, self.program, "up", "--output", "json"]
        for end in ("--api", "--public", "--public-tls"):
            command += [] if end in self.args else [end, "127.0.0.1:0"]
        command += ["--data-dir", self.data_dir] if self.data_dir else ["--ephemeral"]
        command += ["--config", self.config] if self.config else []
        self.ready = self.begin(
            command + self.args,
            env=environment(),
            cwd=self.scratch,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )
        self.api, self.public = self.ready["api"], self.ready["public"]
        return self

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def env(self, account="test", region=REGION):
        """The environment in which `aws`, `tidegate` and scripts find this server."""
        env = environment()
        env.update(
            AWS_ENDPOINT_URL=self.api,
            AWS_ACCESS_KEY_ID=account,
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION=region,
            AWS_PAGER="",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            AWS_EC2_METADATA_DISABLED="true",
            TIDEGATE_API=self.api,
        )
        return env

    def invoke(self, api, path="/hello", **options):
        """A request to an API by the path that needs no name."""
        return request(self.api, f"/_aws/execute-api/{api}{path}", **options)

    def clients(self, account="test", region=REGION):
        return SimpleNamespace(
            **{
                name: boto3.client(
                    name,
                    endpoint_url=self.api,
                    region_name=region,
                    aws_access_key_id=account,
                    aws_secret_access_key="test",
                    config=Config(retries={"total_max_attempts": 1}, read_timeout=REQUEST_S),
                )
                for name in SERVICES
            }
        )

    def tidegate(self, *args, check=True):
        """Runs a client command of the binary; the result has returncode, stdout and, where it is JSON, `json`."""
        return command([binary(), *args], self.env(), check)

    def explain(self, *args):
        result = self.tidegate("explain", *args, "--output", "json", check=False)
        assert result.json is not None, f"explain printed no JSON ({result.returncode}): {result.stdout}{result.stderr}"
        return result


def binary():
    named = os.environ.get("TIDEGATE_BIN") or str(ROOT / "target" / "debug" / "tidegate")
    if not os.path.exists(named):
        raise AssertionError("no binary: build it, or name it by TIDEGATE_BIN")
    return named


def command(words, env, check=True, cwd=None):
    result = subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, timeout=COMMAND_S)
    if check and result.returncode:
        raise AssertionError(f"{words}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    try:
        result.json = json.loads(result.stdout)
    except ValueError:
        result.json = None
    return result


def request(base, path, method="GET", host=None, headers=None, body=None):
    """One HTTP request on a connection of its own, with the Host header as given."""
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=REQUEST_S)
    sent = dict(headers or {})
    if host:
        sent["Host"] = host
    try:
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
    got = {key.lower(): value for key, value in answer.getheaders()}
    return SimpleNamespace(status=answer.status, headers=got, text=text, id=got.get("apigw-requestid") or got.get("x-amz-apigw-id"))


def named(url, trusted, method="GET", headers=None):
    """One request by a name that leads to this machine: with TLS, and with trust in these certificates (PEM) for that name alone."""
    where = urlsplit(url)
    if where.scheme == "http":
        return request(f"http://127.0.0.1:{where.port}", where.path, method=method, host=where.netloc, headers=headers)
    connection = http.client.HTTPSConnection(where.hostname, where.port)
    plain = socket.create_connection(("127.0.0.1", where.port), REQUEST_S)
    with contextlib.closing(connection):
        connection.sock = ssl.create_default_context(cadata=trusted).wrap_socket(plain, server_hostname=where.hostname)
        serial = connection.sock.getpeercert()["serialNumber"]
        connection.request(method, where.path, headers=headers or {})
        answer = connection.getresponse()
        got = {key.lower(): value for key, value in answer.getheaders()}
        return SimpleNamespace(status=answer.status, headers=got, text=answer.read().decode(), serial=serial)


class Backend:
    """A private service that answers with what it saw; its status can be changed, and it can be killed and revived."""

    def __init__(self, name):
        self.name, self.status, self.port, self.server = name, 200, 0, None
        self.revive()

    def revive(self):
        backend = self

        class Echo(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The body does not wait until the head is acknowledged (RFC 896).
            disable_nagle_algorithm = True

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("utf-8", "replace")
                headers = {key.lower(): value for key, value in self.headers.items()}
                seen = {"backend": backend.name, "method": self.command, "path": self.path, "headers": headers}
                payload = json.dumps(seen | {"body": body}).encode()
                self.send_response(backend.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, format, *args):
                pass

            def setup(self):
                super().setup()
                backend.open.add(self.connection)

            def finish(self):
                backend.open.discard(self.connection)
                super().finish()

        self.open = set()
        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Echo)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def kill(self):
        """Stops listening and cuts every open connection, as the death of a process does."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            for connection in list(self.open):
                with contextlib.suppress(OSError):
                    connection.shutdown(2)
            self.server = None


def refused(code, call, *args, text=None, **kwargs):
    """The call must fail with this AWS error code (and a message that contains the text); returns the error."""
    try:
        answer = call(*args, **kwargs)
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] == code, f"wanted {code}, got {got}"
        assert text is None or text in got["Message"], f"wanted {text!r} in {got['Message']!r}"
        return error
    answer.pop("ResponseMetadata", None)
    raise AssertionError(f"wanted {code}, the call passed: {answer}")


def until(what, probe, within_s, every_s=0.1):
    """Waits until the probe answers something true and returns it; fails with what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        got = probe()
        if got:
            return got
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(every_s)


def equal(got, wanted, what=""):
    assert got == wanted, f"{what}: wanted {wanted!r}, got {got!r}"


def once(make):
    """What the tests of a script share: made on first use, and once, even if that fails. `made()` is what there is so far."""
    kept = []

    @functools.wraps(make)
    def shared():
        if not kept:
            kept.append(None)
            kept[0] = make()
        assert kept[0] is not None, f"{make.__name__} could not be made"
        return kept[0]

    shared.made = lambda: kept[0] if kept else None
    return shared


def isolate(*more):
    """Starts the script anew in a network namespace of its own that has loopback only: no packet leaves the machine, whatever is sent. More namespaces are
    options of `unshare`."""
    if os.environ.get(ISOLATED):
        return
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        if IN_CI:
            print("FAIL: no network namespace can be made here, and CI may not skip this")
            print("0 passed, 1 failed, 0 skipped")
            sys.exit(1)
        print("SKIPPED: needs root, unshare and ip, because no packet may leave the machine")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(0)
    os.environ[ISOLATED] = "1"
    words = ["unshare", "--net", *more, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    os.execvp(words[0], words)


_server = None


def server():
    """The script's own server, started on first use, with short silences so that denials are quick."""
    global _server
    if _server is None:
        _server = Server(config='[timeouts]\nblocked_connect = "200ms"\n')
    return _server


def main():
    """Runs the script's tests in the order in which they are written and ends the process."""
    module = sys.modules["__main__"]
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = [(name, value) for name, value in vars(module).items() if name.startswith("test_") and only in name]
    passed = failed = skipped = 0
    try:
        for name, test in tests:
            start = time.monotonic()
            try:
                test()
                passed += 1
                outcome = "ok  "
            except Skip as reason:
                skipped += 1
                outcome = f"SKIPPED ({reason})"
            except Exception:
                failed += 1
                outcome = "FAIL"
                traceback.print_exc(file=sys.stdout)
                if _server:
                    print(f"--- server log\n{_server.tail()}\n---")
            print(f"{outcome} {name} ({time.monotonic() - start:.1f} s)", flush=True)
    finally:
        if _server:
            _server.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)
