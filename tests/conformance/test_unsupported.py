"""What is asked for and not carried out: refused by name and all at once, or taken with a warning, as the server's setting says."""

import atexit

import chain
import harness
from harness import equal, refused

SHIFT = {"Key": "zonal_shift.config.enabled", "Value": "true"}
FAIL_OPEN = {"Key": "waf.fail_open.enabled", "Value": "true"}


@harness.once
def warning():
    """A chain on a server that takes what does no harm."""
    server = harness.Server(args=["--unsupported", "warn"])
    atexit.register(server.close)
    return server, chain.Chain(server, name="lenient")


def balancer(clients):
    """A load balancer in two subnets of its own."""
    vpc = clients.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    make = clients.ec2.create_subnet
    subnets = [
        make(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=f"{harness.REGION}{zone}")["Subnet"]["SubnetId"]
        for at, zone in enumerate("ab")
    ]
    made = clients.elbv2.create_load_balancer(Name="shop", Subnets=subnets, Scheme="internal")
    return made["LoadBalancers"][0]["LoadBalancerArn"]


def hints(explained, code="NOT_CARRIED_OUT"):
    return [hint["text"] for hint in explained.json["hints"] if hint["code"] == code]


def test_a_start_that_takes_it_says_so():
    server, _ = warning()
    assert "unsupported = warn" in server.tail(400), server.tail(400)


def test_an_attribute_that_means_nothing_here_is_repeated_by_each_explanation():
    server, made = warning()
    elbv2 = server.clients().elbv2
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=made.stack["lb"], Attributes=[SHIFT, FAIL_OPEN])
    answer = server.invoke(made.stack["api"])
    equal(answer.status, 200)
    (said,) = hints(server.explain(answer.id))
    assert "zonal_shift.config.enabled" in said and "waf.fail_open.enabled" in said, said
    off = [{**one, "Value": "false"} for one in (SHIFT, FAIL_OPEN)]
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=made.stack["lb"], Attributes=off)
    equal(hints(server.explain(answer.id)), [])


def test_a_parameter_that_does_no_harm_is_left_out_and_the_call_explains_itself():
    server, _ = warning()
    told = server.clients().ec2.describe_instances(IncludeManagedResources=True)
    equal(told["Reservations"], [])
    explained = server.explain(told["ResponseMetadata"]["RequestId"])
    equal((explained.returncode, explained.json["outcome"], explained.json["status"]), (0, "passed", 200))
    (said,) = hints(explained)
    assert "IncludeManagedResources" in said, said
    assert "a parameter was left out" in server.tail(400) and "IncludeManagedResources" in server.tail(400)


def test_what_protects_is_refused_whatever_is_set():
    server, _ = warning()
    refused("UnknownParameter", server.clients().ec2.create_vpc, CidrBlock="10.1.0.0/16",
            VpcEncryptionControl={"Mode": "enforce"}, text="VpcEncryptionControl")
    logs = server.clients().logs
    refused("ValidationException", logs.create_log_group, logGroupName="/kept", kmsKeyId="arn:aws:kms:::key/a", text="kmsKeyId")
    refused("ResourceNotFoundException", logs.get_log_events, logGroupName="/kept", logStreamName="s", unmask=True)


def test_all_that_is_refused_is_named_in_one_error():
    server = harness.Server(args=["--unsupported", "refuse"])
    clients = server.clients()
    arn = balancer(clients)
    asked = [SHIFT, {"Key": "idle_timeout.timeout_seconds", "Value": "0"}, FAIL_OPEN, {"Key": "colour", "Value": "blue"}]
    modify = clients.elbv2.modify_load_balancer_attributes
    error = refused("ValidationError", modify, LoadBalancerArn=arn, Attributes=asked)
    for key in ("zonal_shift.config.enabled", "waf.fail_open.enabled", "colour"):
        assert f"key '{key}'" in error.response["Error"]["Message"], error
    assert "value '0'" in error.response["Error"]["Message"], error
    # Their defaults ask for nothing.
    modify(LoadBalancerArn=arn, Attributes=[{**SHIFT, "Value": "false"}, {"Key": "idle_timeout.timeout_seconds", "Value": "9"}])
    error = refused("UnknownParameter", clients.ec2.terminate_instances, InstanceIds=["i-1"], Force=True, SkipOsShutdown=True)
    assert "Force, SkipOsShutdown" in error.response["Error"]["Message"], error
    server.close()


def test_a_setting_that_is_none_says_which_there_are():
    answer = harness.command([harness.binary(), "up", "--unsupported", "ignore"], harness.environment(), check=False)
    equal(answer.returncode, 2)
    assert "must be refuse or warn" in answer.stderr, answer.stderr


if __name__ == "__main__":
    harness.main()
