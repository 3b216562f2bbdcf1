"""Weights of a rule's groups, measured: the share of each group among many new clients."""

import subprocess

import harness
from chain import Chain
from harness import equal

# Each request draws its group by itself. A share that is further than this from its weight is, for every weight below and so many requests, the
# work of chance less than once in 1e9: 0.02 is 6.6 standard deviations or more of each share.
REQUESTS, OFF = 12_000, 0.02


def share_of_first(url, requests):
    """The share of the first group, of requests that one of the two answered."""
    words = ["curl", "-sS", "--max-time", "300", f"{url}/[1-{requests}]"]
    done = subprocess.run(words, capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    counts = {"a": done.stdout.count('"backend": "weights-a"'), "b": done.stdout.count('"backend": "weights-b"')}
    equal(sum(counts.values()), requests)
    return counts["a"] / requests


def test_each_group_gets_its_share_within_two_percent():
    chain = Chain(harness.server(), name="weights")
    elb, made = chain.aws.elbv2, []
    try:
        for name, address in zip("ab", chain.health()):
            group = elb.create_target_group(
                Name=f"weights-{name}", Protocol="HTTP", Port=8080, VpcId=chain.stack["vpc"], TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            made.append(group)
            elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        opened = chain.server.tidegate(
            "attach", "--listen", chain.stack["listener"], "127.0.0.1:0", "--security-group", chain.stack["link_sg"]
        ).json
        for first, second, requests in ((10, 90, REQUESTS), (999, 1, REQUESTS), (0, 1, 200)):
            tuples = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(made, (first, second))]
            action = {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}
            elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[action])
            share, wanted = share_of_first(opened["url"], requests), first / (first + second)
            equal(abs(share - wanted) <= OFF, True, f"{share} for {first} of {first + second}")
            equal(first == 0 and share > 0, False, "a group of weight 0 gets nothing")
    finally:
        action = {"Type": "forward", "TargetGroupArn": chain.stack["tg"]}
        elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[action])
        for arn in made:
            elb.delete_target_group(TargetGroupArn=arn)
        chain.close()


harness.main()
