"""Puts the measured stack's private side behind an agent: a process of its own, to which its targets are attached.

Prints one JSON line with the agent's process id when all targets are healthy, and ends the agent when its standard input ends.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import health

ADDRESSES = ["10.0.10.10", "10.0.11.10"]
PORT = 8080


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--gateway", required=True)
    options = parser.parse_args()
    state = pathlib.Path(options.state)
    stack = json.loads(state.read_text())
    told = json.loads(subprocess.run([options.binary, "attachments", "--output", "json"], check=True, capture_output=True, text=True).stdout)
    host = told["attachments"][0]["host"]
    token = subprocess.run([options.binary, "agent", "token", "--vpc", stack["vpc"]], check=True, capture_output=True, text=True).stdout.strip()
    directory = state.parent / "agent"
    words = ["taskset", "-c", "0", options.binary, "agent", "--join", "-", "--gateway", options.gateway, "--data-dir", str(directory), "--output", "json"]
    agent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "TOKIO_WORKER_THREADS": "1"})
    try:
        agent.stdin.write(token + "\n")
        agent.stdin.close()
        ready = json.loads(agent.stdout.readline())
        at_agent = {**os.environ, "TIDEGATE_API": f"unix:{ready['socket']}"}
        for address in ADDRESSES:
            words = [options.binary, "attach", "--security-group", stack["target_sg"], f"{address}:{PORT}", host]
            subprocess.run(words, check=True, env=at_agent, stdout=subprocess.DEVNULL)
        health.wait(stack)
        print(json.dumps({"pid": ready["pid"]}), flush=True)
        sys.stdin.read()
    finally:
        agent.terminate()
        agent.wait(60)


if __name__ == "__main__":
    main()
