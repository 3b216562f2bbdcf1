"""Every block of commands on every page is typed into a shell, with what its placeholders stand for. What those of some
pages do is done by a script of its own, which is named here."""

import os
import re
import sys

import harness
from harness import equal
from typed import pages, typed

ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/ci.md": "test_python_package.py",
    "docs/first-hour.md": "test_pages.py",
    "docs/own-stack.md": "test_terraform_own_stack.py",
    "docs/release.md": "test_packages.py",
    "examples/aws-cli/README.md": "test_readme.py",
    "examples/terraform/http-api/README.md": "test_terraform.py",
    "examples/terraform/load-balancer/README.md": "test_terraform_balancer.py",
    "examples/terraform/rest-api/README.md": "test_terraform_rest.py",
    "examples/three-tier/README.md": "test_terraform_three_tier.py",
    "packaging/npm/README.md": "test_packages.py",
}
# Starts what does not end by itself, waits until it says that it is ready, and keeps its process in `$last`.
SERVED = [
    "served() { : > said; { \"$@\" <&3 > said 2> told & last=$!; } 3<&0; until grep -q '^Ready.' said; do kill -0 $last || { cat told >&2; exit 1; }; sleep 0.1; done; }",
    "ended() { kill $last && wait $last || true; }",
]
BUILT = [
    'eval "$(tidegate env)"',
    "python3 examples/backend.py --port 9000 &",
    "python3 examples/boto3/build.py build --backend 127.0.0.1:9000",
    "of() { python3 -c 'import json, sys; print(json.load(open(\"stack.json\"))[sys.argv[1]])' $1; }",
]
STACK = [*SERVED, "served tidegate up", *BUILT]
LINKED = [*SERVED, "served tidegate up --link 127.0.0.1:7443 --data-dir gateway", *BUILT]
# What is told of the program that `tidegate run` runs: the other attachments are the stack's.
RUN = "$(tidegate attachments --output json | python3 -c 'import json, sys; print([one[\"%s\"] for one in json.load(sys.stdin)[\"attachments\"] if one[\"private_ip\"] not in (\"10.0.10.10\", \"10.0.11.10\")][0])')"


class Typing:
    """How the blocks of a page are typed: what stands before them, what their words stand for, and what is asked behind them."""

    def __init__(self, before, words, behind=()):
        self.before, self.words, self.behind = before, words, behind


TYPED = {
    "docs/configuration.md": Typing(
        STACK,
        {"API.execute": "$(of api).execute", "localhost:8443/": "localhost:8443/hello"},
        ["test -s api.example.com.crt"],
    ),
    "docs/operate.md": Typing(
        LINKED,
        {
            r"VPC \[--zone ZONE\].*": "$(of vpc) --zone us-east-1a --ttl 15m > token",
            r"^tidegate agent --join - ": "served tidegate agent --join - ",
            r"HOST:PORT --data-dir DIR \[.*": "127.0.0.1:7443 --data-dir private --native 10.0.0.0/16 < token",
            "AGENT$": "$(tidegate agents --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"agents\"][0][\"agent\"])')",
        },
        ["tidegate agents | grep revoked"],
    ),
    "docs/private-networks.md": Typing(
        [*SERVED, "served tidegate up --fabric kernel", *BUILT],
        {
            "^tidegate run": "served tidegate run",
            r"subnet-\w+": "$(of private_a)",
            r"sg-\w+": "$(of target_sg)",
            r"python3 -m http.server 8080": "sh -c 'echo Ready.; exec python3 -m http.server 8080'",
            r"eni-\w+": RUN % "interface",
            r"http://10\.0\.1\.11/": f"http://{RUN % 'private_ip'}:8080/",
        },
    ),
    "docs/publish.md": Typing(
        [*SERVED, "served tidegate up", "python3 examples/backend.py --port 9000 &"],
        {
            "HOST": "svc.example.com",
            r"ADDRESS:PORT \[options\]": "127.0.0.1:9000",
            "services.yaml": "services.yaml --yes",
            "^tidegate publish -f": "printf 'services:\\n  - host: other.example.com\\n    to: 127.0.0.1:9000\\n' > services.yaml; tidegate publish -f",
        },
        ["tidegate published | grep other.example.com"],
    ),
    "docs/troubleshooting.md": Typing(
        STACK,
        {
            "ID$": "$(curl -sS -o /dev/null -D - http://127.0.0.1:8080/_aws/execute-api/$(of api)/hello | tr -d '\\r' | sed -n 's/^apigw-requestid: //p')",
            "API_ID": "$(of api)",
            "8080/path": "8080/hello",
        },
    ),
    "docs/unsupported.md": Typing(SERVED, {"$": "; ended", "^": "served "}),
    "examples/boto3/README.md": Typing(SERVED, {"^tidegate up &": "served tidegate up"}),
    "examples/boto3/rest-v2-link/README.md": Typing(SERVED, {"^tidegate up &": "served tidegate up"}),
    "examples/two-hosts/README.md": Typing(
        SERVED,
        {
            "GATEWAY": "127.0.0.1",
            "/var/lib/tidegate-agent": "private",
            "^tidegate up --link 127.0.0.1:7443 --data-dir /var/lib/tidegate": f"served tidegate up --link 127.0.0.1:7443 --data-dir gateway; {'; '.join(BUILT).replace('&;', '&')}",
            "token --vpc VPC": "token --vpc $(of vpc) > token",
            "^tidegate agent --join TOKEN": "served tidegate agent --join $(cat token)",
            "^tidegate agent --data-dir": "ended; served tidegate agent --data-dir",
            "--subnet-id SUBNET": "--subnet-id $(of private_a)",
            r"--private-ip-address 10\.0\.10\.10": "--private-ip-address 10.0.10.20",
            "--groups SG": "--groups $(of target_sg)",
            r"agent\.sock 10\.0\.10\.10:8080 127\.0\.0\.1:8080": "agent.sock 10.0.10.20:8080 127.0.0.1:9000",
            "https://API.execute-api.us-east-1.amazonaws.com/ .*": "http://127.0.0.1:8080/_aws/execute-api/$(of api)/hello | tee answer",
            "REQUEST_ID": "$(tr -d '\\r' < answer | sed -n 's/^apigw-requestid: //p') || true",
        },
    ),
}


def commands(path):
    """The lines of its blocks of commands: those that are indented, and those that are fenced as such."""
    text = re.sub(r"^```(?!sh)\w+\n.*?^```\n", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    fenced = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"\n\n((?:    .*\n|\n(?=    ))+)", re.sub(r"^```sh\n.*?^```\n", "", text, flags=re.MULTILINE | re.DOTALL))
    blocks = [*fenced, *(re.sub("^    ", "", block, flags=re.MULTILINE) for block in indented)]
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    # The rest are pictures, and forms of files.
    return lines if any(re.match(r"(tidegate|aws|cargo|terraform|curl|python3|npx|mkdir)\b", line) for line in lines) else []


def filled(lines, words):
    for word, stands_for in words.items():
        lines = [re.sub(word, lambda _: stands_for, line) for line in lines]
    return lines


def test_every_page_with_commands_is_typed_by_somebody():
    with_commands = {str(path.relative_to(harness.ROOT)) for path in pages() if commands(path)}
    equal(with_commands, {*TYPED, *ELSEWHERE})
    for script in ELSEWHERE.values():
        assert (harness.ROOT / "tests" / "conformance" / script).is_file(), script


def typing(name):
    def test():
        how = TYPED[name]
        lines = filled(commands(harness.ROOT / name), how.words)
        # Python with what the examples import.
        path = os.path.dirname(sys.executable) + os.pathsep + harness.environment()["PATH"]
        typed([*how.before, *lines, *how.behind], {"PATH": path})

    test.__name__ = "test_" + re.sub(r"\W+", "_", name).lower()
    return test


for _name in TYPED:
    _test = typing(_name)
    globals()[_test.__name__] = _test


if __name__ == "__main__":
    harness.main()
