"""A server that goes on without its terminal: `up --detach`, its log, and `down`, which ends that process and no other."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import harness
import rest
from harness import equal

FREE = ["--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0"]
FOLLOW_S = 30


@contextlib.contextmanager
def directory():
    """A data directory whose server, if there is one, is ended."""
    with tempfile.TemporaryDirectory(prefix="tidegate-detached-") as scratch:
        home = os.path.join(scratch, "data")
        try:
            yield home
        finally:
            tidegate("down", "--data-dir", home, check=False)


def tidegate(*words, api=None, check=True):
    env = harness.environment()
    return harness.command([harness.binary(), *words], env | ({"TIDEGATE_API": api} if api else {}), check)


def up(home, *words, check=True):
    return tidegate("up", "--detach", *FREE, "--data-dir", home, "--output", "json", *words, check=check)


def is_running(pid):
    """Whether the process lives; one that ended and that nobody asked for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_serves_when_the_command_is_back_and_down_ends_it():
    with directory() as home:
        ready = up(home).json
        told = tidegate("status", "--output", "json", api=ready["api"]).json
        equal((told["pid"], told["data_dir"]), (ready["pid"], home))
        # A session of its own: no signal of the terminal reaches it.
        equal(os.getsid(ready["pid"]), ready["pid"])
        tidegate("attach", "172.31.0.10:80", "127.0.0.1:1", api=ready["api"])

        again = up(home, check=False)
        equal((again.returncode, again.stdout), (1, ""))
        assert f"process {ready['pid']}" in again.stderr, again.stderr

        equal(tidegate("down", "--data-dir", home, "--output", "json").json, {"pid": ready["pid"], "data_dir": home})
        assert not is_running(ready["pid"])
        nobody = tidegate("down", "--data-dir", home, check=False)
        equal((nobody.returncode, nobody.stdout), (1, ""))
        assert "no server has" in nobody.stderr, nobody.stderr

        second = up(home).json
        kept = tidegate("attachments", "--output", "json", api=second["api"]).json["attachments"]
        equal([one["private_ip"] for one in kept], ["172.31.0.10"])


def test_down_ends_no_other_process():
    with directory() as home, directory() as other:
        mine, bystander = up(home).json, up(other, "--ephemeral").json
        # A process id that a dead server left is nobody's: the lock tells who lives.
        stale = Path(home).parent / "stale"
        stale.mkdir()
        (stale / "lock").write_text(f"{bystander['pid']}\n")
        equal(tidegate("down", "--data-dir", str(stale), check=False).returncode, 1)
        tidegate("down", "--data-dir", home)
        assert not is_running(mine["pid"]) and is_running(bystander["pid"])
        # In memory it is found all the same.
        tidegate("down", "--data-dir", other)
        assert not is_running(bystander["pid"])
        assert not (Path(other) / "state.db").exists()


def test_a_server_that_is_killed_leaves_no_trace_for_down():
    with directory() as home:
        pid = up(home).json["pid"]
        os.kill(pid, 9)
        # Its first thread may be gone before the others let go of the lock.
        down = lambda: tidegate("down", "--data-dir", home, check=False).returncode
        harness.until("nobody has the directory", lambda: down() == 1, within_s=20)
        assert is_running(up(home).json["pid"])


def test_what_cannot_start_says_why():
    with directory() as home:
        wrong = up(home, "--region", "mars", check=False)
        equal((wrong.returncode, wrong.stdout), (2, ""))
        assert "region" in wrong.stderr and not os.path.exists(home), wrong.stderr
        unread = up(home, "--access-log", "stdout", check=False)
        equal(unread.returncode, 2)
        taken = harness.server().api.removeprefix("http://")
        refused = up(home, "--api", taken, check=False)
        equal((refused.returncode, refused.stdout), (2, ""), "a flag that is given twice")
        words = ["up", "--detach", "--api", taken, "--public", "127.0.0.1:0", "--data-dir", home]
        refused = tidegate(*words, check=False)
        equal((refused.returncode, refused.stdout), (1, ""))
        assert taken in refused.stderr and "tidegate.log" in refused.stderr, refused.stderr
        equal(tidegate("down", "--data-dir", home, check=False).returncode, 1)


def test_its_own_log_is_read_and_the_one_before_is_kept():
    with directory() as home:
        first = up(home).json
        told = tidegate("logs", "control", "--output", "json", api=first["api"]).json["events"]
        assert any(event["kind"] == "control" and "ready" in event["message"] for event in told), told
        assert first["api"] in tidegate("logs", api=first["api"]).stdout
        tidegate("down", "--data-dir", home)
        second = up(home).json
        told = tidegate("logs", "control", api=second["api"]).stdout
        assert first["api"] not in told and second["api"] in told, told
        assert first["api"] in (Path(home) / "tidegate.log.1").read_text()
    # Of a server in the foreground there is no such file.
    refused = harness.server().tidegate("logs", "control", check=False)
    equal(refused.returncode, 1)
    assert "--detach" in refused.stderr, refused.stderr


def logged():
    """A REST API whose requests stand in an access log and in the execution log, and a group of nobody."""
    server = harness.server()
    logs, api = server.clients().logs, rest.Api(server, "logged")
    for group in ("access-of-it", "of-nobody"):
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName="of-nobody", logStreamName="s")
    api.mock("GET /")
    api.deploy()
    arn = f"arn:aws:logs:{harness.REGION}:000000000000:log-group:access-of-it"
    changes = [
        ("/accessLogSettings/destinationArn", arn),
        ("/accessLogSettings/format", "$context.requestId $context.status"),
        ("/*/*/logging/loglevel", "INFO"),
    ]
    changes = [{"op": "replace", "path": path, "value": value} for path, value in changes]
    api.rest.update_stage(restApiId=api.id, stageName=rest.STAGE, patchOperations=changes)
    return logs, api


def test_logs_are_told_by_kind_and_followed():
    server = harness.server()
    logs, api = logged()
    words = [harness.binary(), "logs", "--follow", "--output", "json"]
    following = subprocess.Popen(words, env=server.env(), stdout=subprocess.PIPE, text=True)
    try:
        answer = api.call()
        id = answer.headers["x-amzn-requestid"]
        equal(answer.status, 200)
        seen = []
        # The pipe is read until both kinds came; each line is whole.
        while {"access", "execution"} - {event["kind"] for event in seen if id in event["message"]}:
            seen.append(json.loads(following.stdout.readline()))
        ids = [(event["group"], event["time"], event["message"]) for event in seen]
        equal(len(set(ids)), len(ids), "none is told twice")
    finally:
        following.kill()
        following.wait(FOLLOW_S)

    def told(*what):
        return server.tidegate("logs", *what, "--output", "json").json["events"]

    (line,) = told("access")
    equal((line["group"], line["message"].strip()), ("access-of-it", f"{id} 200"))
    equal({event["group"] for event in told("execution")}, {f"API-Gateway-Execution-Logs_{api.id}/{rest.STAGE}"})
    now = int(harness.time.time() * 1000)
    logs.put_log_events(logGroupName="of-nobody", logStreamName="s", logEvents=[{"timestamp": now - 120_000, "message": "rain"}])
    equal([event["message"] for event in told("of-nobody")], ["rain"])
    equal([event["message"] for event in told("other", "--since", "1m")], [])
    everything = told()
    equal({event["kind"] for event in everything}, {"access", "execution", "other"})
    equal([event["time"] for event in everything], sorted(event["time"] for event in everything))
    assert f"access-of-it {id} 200\n" in server.tidegate("logs").stdout
    unknown = server.tidegate("logs", "of-somebody", check=False)
    equal((unknown.returncode, unknown.stdout), (2, ""))
    assert "of-somebody" in unknown.stderr and "execution" in unknown.stderr, unknown.stderr


if __name__ == "__main__":
    harness.main()
