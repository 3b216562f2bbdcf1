"""Puts programs of the kernel's private networks in the place of the measured stack's targets: nginx at each address, by `tidegate run`.

Prints one JSON line when all of them are healthy, and ends them when its standard input ends.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import health

ADDRESSES = {"private_a": "10.0.10.10", "private_b": "10.0.11.10"}
PORT = 8080
NGINX = """
user root; daemon off; master_process off; pid {directory}/inside-{address}.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    server {{ listen {address}:{port}; location / {{ return 200 '{body}'; }} }}
}}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--binary", required=True)
    options = parser.parse_args()
    state = pathlib.Path(options.state)
    stack = json.loads(state.read_text())
    programs = []
    try:
        for subnet, address in ADDRESSES.items():
            subprocess.run([options.binary, "detach", f"{address}:{PORT}"], check=True, stdout=subprocess.DEVNULL)
            config = state.parent / f"inside-{address}.conf"
            config.write_text(NGINX.format(directory=state.parent, address=address, port=PORT, body="x" * 1024))
            place = ["--subnet", stack[subnet], "--ip", address, "--security-group", stack["target_sg"]]
            words = ["taskset", "-c", "1", "nginx", "-c", str(config)]
            programs.append(subprocess.Popen([options.binary, "run", *place, "--", *words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        health.wait(stack, lambda: all(one.poll() is None for one in programs))
        print(json.dumps({"inside": list(ADDRESSES.values())}), flush=True)
        sys.stdin.read()
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait()


if __name__ == "__main__":
    main()
