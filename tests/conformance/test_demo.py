"""`tidegate demo --fabric kernel`, by root and by a user without any privilege: every claim holds, and nothing is left of it, however it ends."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import harness
import wire
from harness import equal, in_order, until

NOBODY = 65534
# How long the whole walk may take here; without load it takes ten seconds.
WALK_S = 120
# As wide as a terminal is that people show to others.
COLUMNS = 100
# A service of the demo, and what is said of it from this machine.
SERVICE = "http://10.0.10.10:8080/hello"


def stats():
    """The state of each process that there is, its parent and when it began (proc_pid_stat(5))."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # Some end in the meantime.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
            found[pid] = (fields[0], fields[1], fields[19])
    return found


def unfolded(text):
    """The same with each command on one line."""
    return re.sub(r" \\\n +", " ", text)


class Demo:
    """A demo that runs, as a user of the machine."""

    def __init__(self, user, *words):
        self.scratch = tempfile.mkdtemp(prefix="tidegate-demo-")
        os.chmod(self.scratch, 0o755)
        # What only this user may read is none of the other's.
        self.program = shutil.copy(harness.binary(), os.path.join(self.scratch, "tidegate"))
        # Neither another server nor another account is meant by what stands in the shell.
        shell = dict(TIDEGATE_API="http://127.0.0.1:9", TIDEGATE_FABRIC="proxy", AWS_ACCESS_KEY_ID="111111111111", AWS_SECRET_ACCESS_KEY="x")
        self.how = {"env": os.environ | shell, "user": user, "group": user, "extra_groups": None if user is None else [], "cwd": self.scratch}
        self.said = open(os.path.join(self.scratch, "said"), "w+")
        self.process = subprocess.Popen([self.program, "demo", *words], stdout=self.said, stderr=subprocess.STDOUT, **self.how)

    def text(self):
        self.said.seek(0)
        return self.said.read()

    def ended(self):
        """Its exit code and what it said."""
        code = self.process.wait(WALK_S)
        return code, self.text()

    def stays(self):
        """Until it has walked the whole way; the last line of what may be tried then."""

        def last():
            assert self.process.poll() is None, self.text()
            return next((line for line in unfolded(self.text()).splitlines() if line.startswith("tidegate run")), None)

        try:
            return until("it stays", last, WALK_S)
        except AssertionError:
            print(self.text())
            raise

    def started(self):
        """The processes below it, each by its id and when it began."""
        below, all_there = {str(self.process.pid)}, stats()
        while True:
            more = {pid for pid, (_, parent, _) in all_there.items() if parent in below} - below
            if not more:
                return {(pid, all_there[pid][2]) for pid in below - {str(self.process.pid)}}
            below |= more

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(harness.STOP_S)
        self.said.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


@contextlib.contextmanager
def demo(user, *words):
    running = Demo(user, *words)
    try:
        yield running
    finally:
        running.close()


def both(test):
    """Runs a test as root and as nobody."""

    def run():
        for user in (None, NOBODY):
            test(user)

    run.__name__ = test.__name__
    return run


@both
def test_services_are_inside_and_reached_by_those_who_may(user):
    with demo(user, "--once", "--fabric", "kernel") as running:
        code, said = running.ended()
        equal(code, 0, said)
        # What follows an arrow is what the request came to.
        in_order(
            said,
            "orders-a listens at 10.0.10.10:8080",
            "orders-b listens at 10.0.11.10:8080",
            "reports listens at 10.0.10.20:8080",
            "enforced by the kernel fabric",
            "/hello -> 200",
            "/reports/1 -> 200",
            f"GET {SERVICE} -> Network is unreachable",
            "whose group its group lets in",
            ".elb.amazonaws.com is 10.0.1",
            ".elb.amazonaws.com/hello -> 200",
            '"host":"internal-demo-',
            "that it does not let in",
            ".elb.amazonaws.com is 10.0.1",
            ".elb.amazonaws.com/hello -> silence for 2 s",
            "/hello -> 503",
            "SG_INGRESS_DENIED",
            "aws ec2 authorize-security-group-ingress",
            "/hello -> 200",
        )
        assert "\x1b" not in said, "nobody asked for colours"
        # Where nothing moves the way is drawn once, as far as the request came.
        in_order(said, "client --> API demo --> link demo --sg--> ALB demo --sg--> 10.0.", "client --> API demo --> link demo --sg--X (ALB demo)")
        equal([line for line in said.splitlines() if len(line) > COLUMNS], [])

def test_it_stays_and_ends_with_everything_that_it_started():
    for user, how, code in ((None, signal.SIGTERM, 0), (None, signal.SIGKILL, -signal.SIGKILL), (NOBODY, signal.SIGKILL, -signal.SIGKILL)):
        with demo(user, "--fabric", "kernel") as running:
            line = shlex.split(running.stays())
            # The line that it ends with, by the same user.
            told = subprocess.run([running.program, *line[1:]], capture_output=True, text=True, timeout=WALK_S, **running.how | {"env": os.environ | {"no_proxy": "*"}})
            assert told.returncode == 0 and "200 OK" in told.stdout, told
            # The server, and for each service `run`, the warden, the first of its namespace and itself.
            started = running.started()
            equal(len(started), 13, started)
            running.process.send_signal(how)
            equal(running.process.wait(harness.STOP_S), code)

            def left():
                # Whoever takes orphans in may be slow to ask how they ended.
                return started & {(pid, began) for pid, (state, _, began) in stats().items() if state != "Z"}

            until("nothing is left", lambda: not left(), 10)


def test_nothing_is_sent_where_the_machine_has_a_route():
    with wire.Capture() as captured, demo(None, "--once", "--fabric", "kernel") as running:
        code, said = running.ended()
    equal(code, 0, said)
    assert f"GET {SERVICE} -> not tried: this machine has a route for 10.0.10.10" in said, said
    packets, lost, private = captured.seen
    assert packets > 60, "what the demo asks of its server is seen"
    equal((lost, private), (0, []))


def test_a_machine_without_it_is_told_the_step_that_fails():
    # As many namespaces of networks as there are, and not one more.
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", harness.binary(), "demo", "--fabric", "kernel"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=harness.COMMAND_S)
    equal((told.returncode, told.stdout), (1, ""), told.stderr)
    assert "--fabric kernel cannot be had here: network_namespaces:" in told.stderr, told.stderr


def test_an_engine_that_there_is_not_is_refused():
    told = subprocess.run([harness.binary(), "demo", "--fabric", "wool"], capture_output=True, text=True, timeout=harness.COMMAND_S)
    equal((told.returncode, told.stdout), (2, ""), told.stderr)
    assert "wool" in told.stderr, told.stderr


harness.isolate()
harness.main()
