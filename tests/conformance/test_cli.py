"""The AWS CLI example as a person types it: build, call, break, explain, mend, tear down."""

import json
import os
import shlex
import tempfile

import harness
from harness import equal

EXAMPLE = harness.ROOT / "examples" / "aws-cli"
_state = None


def state():
    """The ids that build.sh wrote."""
    text = open(_state["file"]).read()
    return dict(word.split("=", 1) for word in shlex.split(text))


def run(script):
    env = harness.server().env() | {"STATE": _state["file"], "BACKEND": _state["backend"].address}
    env["PATH"] = os.path.dirname(harness.binary()) + os.pathsep + env["PATH"]
    return harness.command([str(EXAMPLE / script)], env)


def get():
    return harness.server().invoke(state()["API"])


def test_build_makes_the_chain():
    global _state
    directory = tempfile.mkdtemp(prefix="tidegate-cli-")
    _state = {"file": os.path.join(directory, "stack.env"), "backend": harness.Backend("cli")}
    said = run("build.sh").stdout
    assert f"/_aws/execute-api/{state()['API']}/hello" in said, said
    answer = get()
    equal((answer.status, json.loads(answer.text)["backend"]), (200, "cli"))


def test_break_is_explained_and_mend_works():
    run("break.sh")
    answer = get()
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (503, "SG_INGRESS_DENIED"))
    result = harness.server().explain(answer.id)
    equal((result.returncode, result.json["reason"]), (3, "SG_INGRESS_DENIED"))
    assert state()["ALB_SG"] in result.json["fix"][0], result.json["fix"]
    text = harness.server().tidegate("explain", answer.id, check=False).stdout
    assert "SG_INGRESS_DENIED" in text and result.json["fix"][0] in text, "the text form says the same"
    run("mend.sh")
    equal(get().status, 200)


def test_env_prints_what_a_shell_needs():
    printed = harness.server().tidegate("env").stdout
    shown = harness.command(["bash", "-c", f"{printed}\necho $AWS_ENDPOINT_URL"], dict(os.environ)).stdout
    equal(shown.strip().rstrip("/"), harness.server().api.rstrip("/"))


def test_run_serves_a_program_as_a_private_address():
    vpc, subnet = state()["VPC"], state()["PRIVATE_A"]
    words = [harness.binary(), "run", "--subnet", subnet, "--", "bash", "-c", 'test "$PORT" -gt 0 && exit 7']
    equal(harness.command(words, harness.server().env(), check=False).returncode, 7, "the program's own exit code")
    found = harness.server().clients().ec2.describe_network_interfaces(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "subnet-id", "Values": [subnet]}]
    )["NetworkInterfaces"]
    kinds = sorted(i["Description"].split(" ")[0] for i in found if i.get("RequesterManaged"))
    equal(len([i for i in found if not i.get("RequesterManaged")]), 1, f"only the attached target is left of {kinds}")


def test_teardown_leaves_nothing():
    run("teardown.sh")
    aws = harness.server().clients()
    equal([vpc for vpc in aws.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]], [])
    equal(aws.elbv2.describe_target_groups()["TargetGroups"], [])
    equal(aws.apigatewayv2.get_vpc_links()["Items"], [])
    _state["backend"].kill()


harness.main()
