"""The pytest plugin: a server for the session, one for each worker of xdist, and in the report of a test that failed which hop refused each
request that was refused."""

import http.client
import json
import re
from collections import deque
from pathlib import Path

import pytest

import tidegate as package

# Refused requests of a test that are explained in its report, the newest; each is a command.
EXPLAINED_MAX = 3
_refused = deque(maxlen=EXPLAINED_MAX)
_server = None
TRACES = "--tidegate-traces"
# Characters of a test's name in that of a file; the whole name is in it.
NAME_MAX = 150


def pytest_addoption(parser):
    into = "a directory; each refused request of a test that failed is explained there, as JSON, in a file of its own"
    parser.addoption(TRACES, metavar="DIR", help=into)
    parser.addini("tidegate_args", "further words of `tidegate up`", type="args", default=["--timeouts-blocked-connect", "300ms"])


@pytest.fixture(scope="session")
def tidegate(pytestconfig):
    """The server of this session."""
    global _server
    with package.Server(pytestconfig.getini("tidegate_args")) as server:
        _server = server
        yield server
        _server = None


@pytest.fixture
def tidegate_stack(tidegate):
    """The same server with nothing in it, before the test and behind it."""
    tidegate.reset()
    yield tidegate
    tidegate.reset()


@pytest.fixture
def url(tidegate):
    """`url(api, path="/", stage="$default")`: where a stage of an API answers."""
    return tidegate.url


@pytest.fixture
def attach(tidegate):
    """`attach(private, host, *groups, vpc=None)`: lets a program serve a private address, until the test is over."""
    attached = []

    def attaching(private, host, *groups, vpc=None):
        made = tidegate.attach(private, host, *groups, vpc=vpc)
        attached.append(made)
        return made

    yield attaching
    standing = {(one["interface"], one["port"]) for one in tidegate.run("attachments")["attachments"]}
    for made in attached:
        # The test may have detached it, or forgotten everything.
        if (made["interface"], made["port"]) in standing:
            end = made["private_ip"] if made["port"] is None else f"{made['private_ip']}:{made['port']}"
            tidegate.run("detach", "--vpc", made["vpc"], end)


@pytest.fixture
def reset(tidegate):
    """`reset()`: forgets everything."""
    return tidegate.reset


@pytest.fixture
def explain(tidegate):
    """`explain(response)`: which hop decided about an answer, and by which rule."""
    return tidegate.explain


@pytest.fixture
def wait_healthy(tidegate):
    """`wait_healthy(timeout_s=60)`: until links, load balancers and targets carry traffic."""
    return tidegate.wait_healthy


def _noting(begin):
    """An answer that was read, by whatever client that stands on `http.client` (urllib, requests, boto3), is noted if it is a refusal."""

    def noted(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        if self.headers is not None and self.status >= 400:
            try:
                _refused.append(package.request_id(self))
            except package.TidegateError:
                # An answer of another server.
                pass

    return noted


def pytest_configure(config):
    config.stash[_BEGIN] = http.client.HTTPResponse.begin
    http.client.HTTPResponse.begin = _noting(http.client.HTTPResponse.begin)


def pytest_unconfigure(config):
    http.client.HTTPResponse.begin = config.stash[_BEGIN]


_BEGIN = pytest.StashKey()


def pytest_runtest_setup(item):
    _refused.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed or _server is None:
        return
    for id in list(_refused):
        try:
            report.sections.append((f"tidegate explain {id}", _server.explained(id)))
            if item.config.getoption(TRACES):
                _keep(Path(item.config.getoption(TRACES)), item.nodeid, id)
        except Exception as error:  # the report of the test must not be lost for it
            report.sections.append((f"tidegate explain {id}", f"not explained: {error}"))


def _keep(directory, test, id):
    """Writes what is told of a request into a file that is named by the test and the request's id."""
    directory.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", test)[:NAME_MAX].strip("-") + "." + re.sub(r"[^A-Za-z0-9_-]+", "", id)
    (directory / f"{name}.json").write_text(json.dumps({"test": test, **_server.explain(id)}, indent=2) + "\n")
