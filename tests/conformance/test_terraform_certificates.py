"""Certificates that are requested of ACM: by boto3, by the AWS CLI, and by the real Terraform with traffic over TLS behind them, at a custom
domain name and at the HTTPS listener of a load balancer."""

import json
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import harness
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import equal, refused
from terraform import Module

ISSUED_S = 20
SITE, INTERNAL = "site.example.com", "internal.example.com"


def shown(aws, arn):
    return aws.acm.describe_certificate(CertificateArn=arn)["Certificate"]


def issued(aws, arn):
    return harness.until("it is issued", lambda: shown(aws, arn)["Status"] == "ISSUED", ISSUED_S)


def test_a_certificate_is_of_the_authority_and_its_key_of_the_algorithm_that_was_asked_for():
    server = harness.server()
    aws = server.clients()
    arn = aws.acm.request_certificate(DomainName="rsa.example.com", ValidationMethod="DNS")["CertificateArn"]
    aws.acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": ISSUED_S})
    got = aws.acm.get_certificate(CertificateArn=arn)
    leaf = x509.load_pem_x509_certificate(got["Certificate"].encode())
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048, key
    equal(got["CertificateChain"], harness.request(server.api, "/_tidegate/ca").text)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(got["CertificateChain"].encode()))
    equal(shown(aws, arn)["DomainValidationOptions"][0]["ResourceRecord"]["Type"], "CNAME")
    equal("PRIVATE KEY" in json.dumps(got) + json.dumps(shown(aws, arn), default=str), False)
    aws.acm.delete_certificate(CertificateArn=arn)


def test_a_certificate_takes_its_time_with_realistic_delays_and_is_not_presented_before():
    server = harness.Server(args=["--delays", "realistic"])
    try:
        aws = server.clients()
        arn = aws.acm.request_certificate(DomainName=SITE, ValidationMethod="EMAIL")["CertificateArn"]
        equal(shown(aws, arn)["Status"], "PENDING_VALIDATION")
        aws.acm.resend_validation_email(CertificateArn=arn, Domain=SITE, ValidationDomain="example.com")
        refused("RequestInProgressException", aws.acm.get_certificate, CertificateArn=arn)
        wanted = [{"CertificateArn": arn, "EndpointType": "REGIONAL"}]
        refused("BadRequestException", aws.apigatewayv2.create_domain_name, DomainName=SITE, DomainNameConfigurations=wanted)
        vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            aws.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
            for at, zone in enumerate("ab")
        ]
        ids = [subnet["SubnetId"] for subnet in subnets]
        balancer = aws.elbv2.create_load_balancer(Name="shop", Subnets=ids, Scheme="internal")["LoadBalancers"][0]
        listener = {
            "LoadBalancerArn": balancer["LoadBalancerArn"],
            "Protocol": "HTTPS",
            "Port": 443,
            "Certificates": [{"CertificateArn": arn}],
            "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "204"}}],
        }
        refused("UnsupportedCertificate", aws.elbv2.create_listener, **listener)
        server.tidegate("tick", "600")
        equal(shown(aws, arn)["Status"], "ISSUED")
        aws.elbv2.create_listener(**listener)
        refused("ResourceInUseException", aws.acm.delete_certificate, CertificateArn=arn)
        equal(shown(aws, arn)["RenewalEligibility"], "ELIGIBLE")
    finally:
        server.close()


def test_gateway_mode_issues_too_and_keeps_certificates_over_a_restart():
    config = '[[access_keys]]\nid = "AKIDEXAMPLE"\nsecret = "test"\n'
    with tempfile.TemporaryDirectory(prefix="tidegate-certificates-") as data:
        server = harness.Server(data_dir=data, config=config)
        try:
            aws = server.clients(account="AKIDEXAMPLE")
            asked = {"DomainName": SITE, "ValidationMethod": "DNS", "IdempotencyToken": "once"}
            arn = aws.acm.request_certificate(**asked)["CertificateArn"]
            issued(aws, arn)
            before = aws.acm.get_certificate(CertificateArn=arn)
            server.kill()
            aws = server.start().clients(account="AKIDEXAMPLE")
            equal(aws.acm.request_certificate(**asked)["CertificateArn"], arn)
            after = aws.acm.get_certificate(CertificateArn=arn)
            equal((after["Certificate"], after["CertificateChain"]), (before["Certificate"], before["CertificateChain"]))
            printed = harness.command([harness.binary(), "ca", "--data-dir", data], dict(os.environ)).stdout
            equal(after["CertificateChain"], printed, "whom to believe is printed")
        finally:
            server.close()


def test_the_aws_cli_requests_and_waits():
    server = harness.server()
    aws = [str(Path(sys.executable).with_name("aws")), "acm"]
    words = ["request-certificate", "--domain-name", "cli.example.com", "--validation-method", "DNS", "--key-algorithm", "EC_prime256v1"]
    arn = harness.command(aws + words, server.env()).json["CertificateArn"]
    harness.command(aws + ["wait", "certificate-validated", "--certificate-arn", arn], server.env())
    listed = harness.command(aws + ["list-certificates", "--includes", "keyTypes=EC_prime256v1"], server.env()).json
    equal([one["Status"] for one in listed["CertificateSummaryList"] if one["CertificateArn"] == arn], ["ISSUED"])
    harness.command(aws + ["delete-certificate", "--certificate-arn", arn], server.env())


def test_terraform_requests_validates_and_serves_tls_with_them():
    work = Module("certificates")
    work.apply()
    out, server = work.outputs(), work.server
    equal(out["found"], out["site"])
    trusted = harness.request(server.api, "/_tidegate/ca").text
    port = urlsplit(server.ready["public_tls"]).port
    # The link verifies the listener's certificate too.
    harness.until("the link carries", lambda: harness.named(f"https://{SITE}:{port}/", trusted).status == 200, ISSUED_S)
    answer = harness.named(f"https://{SITE}:{port}/", trusted)
    equal((answer.status, answer.text), (200, "private"))
    equal(answer.serial.lower(), shown(work.aws, out["site"])["Serial"].replace(":", ""))
    opened = server.tidegate("attach", "--listen", out["listener"], "127.0.0.1:0", "--security-group", out["group"]).json
    answer = harness.named(f"https://{INTERNAL}:{urlsplit(opened['url']).port}/", trusted)
    equal((answer.status, answer.text), (200, "private"))
    server.tidegate("detach", "--listen", out["listener"])
    refused("ResourceInUseException", work.aws.acm.delete_certificate, CertificateArn=out["site"])
    changed = {"aws_acm_certificate.site": ["update"], "data.aws_acm_certificate.site": ["read"]}
    work.change(lambda _, address: changed.get(address, ["no-op"]))
    equal(shown(work.aws, out["site"])["Options"], {"CertificateTransparencyLoggingPreference": "DISABLED"})
    work.destroy()


harness.main()
