"""Targets that speak TLS with a certificate of their own: a group of protocol HTTPS, probes within TLS, and what a plain group makes of it."""

import datetime
import json
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import harness
import build  # harness finds it
from chain import Chain
from harness import equal

NOTICED_S = 30
_made = None


def context():
    """A server's, with a certificate that nobody signed and that is over."""
    global _made
    if _made is None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere.example")])
        start = datetime.datetime(2020, 1, 1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
        pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        with tempfile.TemporaryDirectory(prefix="tidegate-tls-") as held:
            both = Path(held, "both.pem")
            both.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, form, plain))
            _made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            _made.load_cert_chain(both)
    return _made


class Secured(harness.Backend):
    """Speaks in the clear until it is told otherwise and revived."""

    is_secure = False

    def revive(self):
        super().revive()
        if not self.is_secure:
            return
        accept = self.server.get_request

        def within_tls():
            stream, address = accept()
            # The handshake is the connection's own thread's.
            return context().wrap_socket(stream, server_side=True, do_handshake_on_connect=False), address

        self.server.get_request = within_tls
        self.server.handle_error = lambda request, address: None


def test_a_group_of_protocol_https_reaches_targets_within_tls():
    chain = Chain(harness.server(), name="secured", backend=Secured)
    elb = chain.aws.elbv2
    plain = chain.stack["tg"]
    try:
        for backend in chain.backends:
            backend.kill()
            backend.is_secure = True
            backend.revive()
        equal(chain.get().status, 502, "a plain group sends in the clear what the target cannot read")
        group = elb.create_target_group(
            Name="secured-tls",
            Protocol="HTTPS",
            Port=8080,
            VpcId=chain.stack["vpc"],
            TargetType="ip",
            HealthCheckProtocol="HTTPS",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]
        equal((group["Protocol"], group["HealthCheckProtocol"]), ("HTTPS", "HTTPS"))
        elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": one} for one in build.TARGETS])
        rule = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[rule])
        chain.stack["tg"] = group["TargetGroupArn"]
        healthy = {one: ("healthy", None) for one in build.TARGETS}
        harness.until("both are healthy", lambda: chain.health() == healthy, NOTICED_S)
        equal({json.loads(chain.get().text)["backend"] for _ in range(8)}, {"secured-a", "secured-b"})
        elb.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckProtocol="HTTP")
        gone = {one: ("unhealthy", "Target.FailedHealthChecks") for one in build.TARGETS}
        harness.until("a probe in the clear fails", lambda: chain.health() == gone, NOTICED_S)
        elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[{"Type": "forward", "TargetGroupArn": plain}])
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    finally:
        chain.stack["tg"] = plain
        chain.close()


harness.main()
