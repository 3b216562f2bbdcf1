"""Puts many rules in front of the one that takes the example's requests: paths, some of them of one host, as large stacks have."""

import argparse
import json
from pathlib import Path

import boto3

LAST = 50_000


def put(elb, listener, count, group):
    """So many rules, of which none is for the measured requests."""
    for number in range(1, count + 1):
        conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/service-{number}/*", f"/v{number}/*"]}}]
        if number % 4 == 0:
            conditions = [{"Field": "host-header", "HostHeaderConfig": {"Values": [f"service-{number}.example.com"]}}]
        elb.create_rule(
            ListenerArn=listener, Priority=number, Conditions=conditions, Actions=[{"Type": "forward", "TargetGroupArn": group}]
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--rules", type=int, required=True)
    options = parser.parse_args()
    stack = json.loads(Path(options.state).read_text())
    elb = boto3.client("elbv2")
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": stack["rule"], "Priority": LAST}])
    put(elb, stack["listener"], options.rules, stack["tg"])


if __name__ == "__main__":
    main()
