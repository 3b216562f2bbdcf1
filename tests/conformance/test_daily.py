"""The commands of every day against a whole chain: what stands, where it answers, whether it is healthy, and how all of it goes away."""

import json
import os

import chain
import harness
from harness import equal

WORLD_S = 60


@harness.once
def world():
    """A chain whose targets are healthy, as `wait --healthy` says."""
    made = chain.Chain(harness.server(), name="daily")
    waited = harness.server().tidegate("wait", "--healthy", "--timeout", f"{WORLD_S}s", "--output", "json")
    equal(waited.json, {"healthy": True, "waiting_for": []})
    return made


def status():
    realms = harness.server().tidegate("status", "--output", "json").json["realms"]
    equal(len(realms), 1, "realms")
    return realms[0]


def test_every_url_of_status_answers():
    world()
    (url,) = status()["urls"]
    equal((url["api"], url["name"], url["kind"], url["stage"]), (world().stack["api"], "daily", "HTTP", "$default"))
    trusted = harness.server().tidegate("ca").stdout
    for member in ("url", "by_path", "tls"):
        answer = harness.named(url[member] + "hello", trusted)
        equal((answer.status, json.loads(answer.text)["path"]), (200, "/hello"), url[member])
    text = harness.server().tidegate("status").stdout
    for member in ("url", "by_path", "tls"):
        assert f"    url {url[member]}\n" in text, text


def test_attachments_are_listed_with_their_hosts():
    hosts = sorted(backend.address for backend in world().backends)
    told = harness.server().tidegate("attachments", "--output", "json").json["attachments"]
    equal(sorted(one["host"] for one in told), hosts)
    assert all(one["region"] == harness.REGION and one["vpc"] == world().stack["vpc"] for one in told), told
    lines = harness.server().tidegate("attachments").stdout.splitlines()
    equal(sorted(line.split()[-1] for line in lines), hosts, lines)


def test_health_is_told_as_aws_tells_it_and_wait_gives_up_with_its_reason():
    ill = world().backends[0]
    ill.status = 500
    harness.until("a target is unhealthy", lambda: "unhealthy" in [state for state, _ in world().health().values()], WORLD_S)
    told = {target["target"].split(":")[0]: (target["health"], target["reason"]) for target in status()["targets"]}
    equal(told, world().health())
    assert ("unhealthy", "Target.ResponseCodeMismatch") in told.values(), told
    gave_up = harness.server().tidegate("wait", "--healthy", "--timeout", "1ms", "--output", "json", check=False)
    equal((gave_up.returncode, gave_up.json["healthy"]), (4, False))
    (why,) = gave_up.json["waiting_for"]
    assert "[500]" in why and "is unhealthy" in why, why
    text = harness.server().tidegate("wait", "--healthy", "--timeout", "1ms", check=False)
    assert text.stdout == "" and "not healthy within 1ms" in text.stderr and why in text.stderr, text.stderr
    ill.status = 200
    equal(harness.server().tidegate("wait", "--healthy").stdout, "healthy\n")


def test_a_server_that_is_not_there_is_waited_for_in_vain():
    env = dict(os.environ) | {"TIDEGATE_API": "http://127.0.0.1:1"}
    waited = harness.command([harness.binary(), "wait", "--timeout", "200ms", "--output", "json"], env, check=False)
    equal((waited.returncode, waited.json["ready"]), (4, False))
    equal(harness.server().tidegate("wait", "--timeout", "soon", check=False).returncode, 2)
    equal(harness.server().tidegate("wait").stdout, "ready\n")


def test_env_is_taken_back_by_what_it_prints():
    exports = harness.server().tidegate("env").stdout
    unset = harness.server().tidegate("env", "--unset").stdout
    script = f"{exports}\n{unset}\nenv"
    left = harness.command(["sh", "-c", script], {"PATH": os.environ["PATH"]}).stdout
    assert "AWS_" not in left and "TIDEGATE_" not in left, left
    fish = harness.server().tidegate("env", "--shell", "fish").stdout.splitlines()
    assert f"set -gx AWS_ENDPOINT_URL '{harness.server().api}'" in fish, fish
    names = [line.split()[-1] for line in harness.server().tidegate("env", "--shell", "fish", "--unset").stdout.splitlines()]
    equal(harness.server().tidegate("env", "--unset", "--output", "json").json["unset"], names)


def test_everything_is_detached_at_once_and_then_is_unhealthy():
    detached = harness.server().tidegate("detach", "--all", "--output", "json").json["detached"]
    equal(len(detached), len(world().backends))
    equal(harness.server().tidegate("attachments", "--output", "json").json, {"attachments": []})
    equal(harness.server().tidegate("detach", "--all", "--output", "table").stdout, "nothing was attached\n")


def test_reset_asks_and_forgets():
    asked = harness.server().tidegate("reset", check=False)
    equal((asked.returncode, asked.stdout), (2, ""))
    assert "--yes" in asked.stderr and status()["urls"], asked.stderr
    equal(harness.server().tidegate("tick", "5", "--output", "table").stdout, "the clock is 5 s further on\n")
    equal(harness.server().tidegate("reset", "--yes", "--output", "table").stdout, "everything is forgotten\n")
    equal(harness.server().tidegate("status", "--output", "json").json["realms"], [])
    # Nothing that is in use is ill where nothing is.
    equal(harness.server().tidegate("wait", "--healthy").stdout, "healthy\n")
    for backend in world().backends:
        backend.kill()


if __name__ == "__main__":
    harness.main()
