"""The module for testcontainers, by the real testcontainers, against an engine that is played by the test (`engine.py`)."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ |= {"TESTCONTAINERS_RYUK_DISABLED": "true"}

import harness
from engine import Engine
from harness import equal

sys.path.insert(0, str(harness.ROOT / "clients" / "python"))


@harness.once
def module():
    """The module, which finds the engine where Docker's clients look for one."""
    engine = Engine("tidegate:0.1.0")
    os.environ |= {"DOCKER_HOST": engine.host, "TIDEGATE_BIN": harness.binary()}
    from tidegate import container

    return engine, container


def test_its_image_is_what_is_packed():
    _, container = module()
    version = harness.command([harness.binary(), "--version"], harness.environment()).stdout.split()[-1]
    equal(container.IMAGE, f"tidegate:{version}")


def test_a_server_is_started_used_and_gone():
    engine, container = module()
    with container.TidegateContainer() as made:
        (wish,) = engine.made.values()
        equal((wish["Image"], wish["HostConfig"]["NetworkMode"], wish["Cmd"][0]), (container.IMAGE, "host", "up"))
        server = made.server
        vpc = server.client("ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        equal(len(server.run("status")["realms"]), 1, vpc)
        server.reset()
        equal(server.run("status")["realms"], [])
        process = next(iter(engine.running.values()))
    equal((engine.made, engine.running), ({}, {}))
    equal(process.poll(), 0)


# What the module asks of testcontainers for Node, which is 100 packages: the program is started at once, without an engine.
STAND_IN = """
const { spawn } = require("node:child_process");
class AbstractStartedContainer {
  constructor(started) { this.started = started; }
  stop() { return this.started.stop(); }
}
class GenericContainer {
  constructor(image) { this.image = image; }
  withNetworkMode(mode) { this.mode = mode; return this; }
  withCommand(words) { this.words = words; return this; }
  withWaitStrategy(strategy) { this.strategy = strategy; return this; }
  async start() {
    if (this.mode !== "host" || !this.strategy.test('{"public_tls":null}')) throw new Error("another container");
    const child = spawn(process.env.TIDEGATE_BIN, this.words, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((done) => child.on("exit", done));
    return { image: this.image, logs: async () => child.stdout, stop: () => { child.kill(); return ended; } };
  }
}
module.exports = { AbstractStartedContainer, GenericContainer, Wait: { forLogMessage: (pattern) => pattern } };
"""
USED = """
const { IMAGE, TidegateContainer } = require("tidegate/testcontainers");
(async () => {
  const server = await new TidegateContainer().start();
  const missed = await fetch(server.url("abcdefghij", "/x"));
  const told = await server.explain(missed.headers.get("apigw-requestid") ?? missed.headers.get("x-amzn-requestid"));
  const env = server.env();
  console.log(JSON.stringify([IMAGE, missed.status, told.reason, env.TIDEGATE_API === server.clientConfig().endpoint]));
  console.log(await server.stop());
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_module_for_node_starts_one_and_ends_it():
    _, container = module()
    node = shutil.which("node") or harness.missing("no node")
    with tempfile.TemporaryDirectory(prefix="tidegate-node-") as scratch:
        own, stand_in = (Path(scratch, "node_modules", name) for name in ("tidegate", "testcontainers"))
        own.mkdir(parents=True)
        stand_in.mkdir()
        # As the package exports it.
        own.joinpath("package.json").write_text(json.dumps({"exports": {"./testcontainers": "./testcontainers.js"}}))
        shutil.copy(harness.ROOT / "packaging" / "npm" / "testcontainers.js", own)
        stand_in.joinpath("index.js").write_text(STAND_IN)
        Path(scratch, "used.js").write_text(USED)
        done = harness.command([node, os.path.join(scratch, "used.js")], harness.environment() | {"TIDEGATE_BIN": harness.binary()})
    equal(done.stdout.splitlines(), [json.dumps([container.IMAGE, 404, "API_NOT_FOUND", True], separators=(",", ":")), "0"])


def test_a_setting_that_is_none_fails_the_start_with_what_it_said():
    engine, container = module()
    try:
        with container.TidegateContainer(args=["--fabric", "wool"]):
            raise AssertionError("it started")
    except container.tidegate.TidegateError as error:
        assert "must be" in str(error) and "wool" in str(error), error
    equal(engine.made, {})
    engine.close()


if __name__ == "__main__":
    harness.main()
