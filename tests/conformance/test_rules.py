"""Rules of a listener with regular expressions and transforms: written by boto3 and the AWS CLI, seen by what the target gets."""

import json

import harness
from chain import Chain
from harness import equal, refused

_chain = None


def chain():
    global _chain
    if _chain is None:
        _chain = Chain(harness.server(), name="rules")
    return _chain


def seen(path):
    """What the target got of a request."""
    answer = chain().get(path)
    equal(answer.status, 200, answer.text)
    return json.loads(answer.text)


def forward():
    return [{"Type": "forward", "TargetGroupArn": chain().stack["tg"]}]


def path_like(regex):
    return [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": [regex]}}]


def rewrite(regex, replace):
    return [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": regex, "Replace": replace}]}}]


def test_a_rule_rewrites_paths_that_an_expression_finds():
    elb, listener = chain().aws.elbv2, chain().stack["listener"]
    made = elb.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=path_like("/v[0-9]+/orders"),
        Actions=forward(),
        Transforms=rewrite("/v([0-9]+)/orders/?(.*)$", "/orders/$2?version=$1"),
    )["Rules"][0]
    try:
        equal(seen("/v7/orders/12")["path"].endswith("/orders/12?version=7"), True)
        equal("version" in seen("/plain/orders")["path"], False)
        words = ["aws", "elbv2", "describe-rules", "--rule-arns", made["RuleArn"], "--query", "Rules[0].Transforms"]
        told = json.loads(harness.command(words, harness.server().env()).stdout)
        equal(told, rewrite("/v([0-9]+)/orders/?(.*)$", "/orders/$2?version=$1"))
        elb.modify_rule(RuleArn=made["RuleArn"], ResetTransforms=True)
        equal("version" in seen("/v7/orders/12")["path"], False)
    finally:
        elb.delete_rule(RuleArn=made["RuleArn"])


def test_an_expression_that_no_linear_engine_has_is_refused():
    make = chain().aws.elbv2.create_rule
    wanted = {"ListenerArn": chain().stack["listener"], "Priority": 2, "Actions": forward()}
    refused("ValidationError", make, **wanted, Conditions=path_like("(?=a)b"), text="look-around")
    refused("ValidationError", make, **wanted, Conditions=path_like("a" * 129), text="128")


harness.main()
