"""Mutual TLS of HTTPS listeners: trust stores and `MutualAuthentication` by boto3 and Terraform, clients with and without certificates by curl."""

import datetime
import json
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import harness
from chain import Chain
from harness import equal, refused
from terraform import Module

PEM, PKCS8, PLAIN = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
HEAD = "x-amzn-mtls-clientcert"

_stage = None


class Authority:
    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.pem = self.sign(self.name, self.key, authority=True)

    def sign(self, subject, key, days=(-30, 30), authority=False, alternative=None, serial=0x0A03F5B1):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        made = made.serial_number(serial)
        made = made.not_valid_before(now + datetime.timedelta(days[0])).not_valid_after(now + datetime.timedelta(days[1]))
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if alternative:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(alternative)]), critical=False)
        return made.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def revoking(self, *serials):
        """A list of these serial numbers."""
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        made = made.last_update(now - datetime.timedelta(1)).next_update(now + datetime.timedelta(1))
        made = made.add_extension(x509.CRLNumber(1), critical=False)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - datetime.timedelta(1))
            made = made.add_revoked_certificate(entry.build())
        return made.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def leaf(self, name, days=(-30, 30), serial=0x0A03F5B1):
        """Certificate and key of a client, or of a server of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [(NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, "Devices, Ltd"), (NameOID.COMMON_NAME, name)]
        subject = x509.Name([x509.NameAttribute(*part) for part in parts])
        return SimpleNamespace(pem=self.sign(subject, key, days, False, name, serial), key=key.private_bytes(PEM, PKCS8, PLAIN))


def stage():
    """A chain on a server with a place for buckets, a trust store, and a socket of a listener that forwards."""
    global _stage
    if _stage is None:
        kept = tempfile.TemporaryDirectory(prefix="tidegate-mutual-")
        bucket = Path(kept.name, "s3", "trust")
        bucket.mkdir(parents=True)
        clients = Authority("clients")
        bucket.joinpath("clients.pem").write_bytes(clients.pem)
        server = harness.Server(data_dir=f"{kept.name}/data", args=["--s3-root", f"{kept.name}/s3"])
        chain = Chain(server, name="mutual")
        elb = chain.aws.elbv2
        made = elb.create_trust_store(
            Name="clients", CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key="clients.pem"
        )["TrustStores"][0]
        equal((made["Status"], made["NumberOfCaCertificates"], made["TotalRevokedEntries"]), ("ACTIVE", 1, 0))
        leaf = Authority("servers").leaf("internal.example.com")
        certificate = chain.aws.acm.import_certificate(Certificate=leaf.pem, PrivateKey=leaf.key)["CertificateArn"]
        mutual = {"Mode": "verify", "TrustStoreArn": made["TrustStoreArn"]}
        elb.modify_listener(
            ListenerArn=chain.stack["listener"],
            Protocol="HTTPS",
            Certificates=[{"CertificateArn": certificate}],
            MutualAuthentication=mutual,
        )
        opened = server.tidegate("attach", "--listen", chain.stack["listener"], "127.0.0.1:0", "--security-group", chain.stack["link_sg"]).json
        port = urlsplit(opened["url"]).port
        _stage = SimpleNamespace(kept=kept, bucket=bucket, clients=clients, server=server, chain=chain, elb=elb, port=port)
        _stage.store, _stage.listener = made["TrustStoreArn"], chain.stack["listener"]
    return _stage


def curl(leaf=None, *options):
    """The exit status, and what the target saw."""
    with tempfile.TemporaryDirectory(prefix="tidegate-client-") as held:
        words = ["curl", "-sS", "-k", "--max-time", "20", *options]
        if leaf:
            Path(held, "client.pem").write_bytes(leaf.pem + leaf.key)
            words += ["--cert", f"{held}/client.pem"]
        done = subprocess.run([*words, f"https://127.0.0.1:{stage().port}/hello"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)["headers"] if done.returncode == 0 else done.stderr


def ask(**mutual):
    made = stage().elb.modify_listener(ListenerArn=stage().listener, MutualAuthentication=mutual)
    return made["Listeners"][0]["MutualAuthentication"]


def test_a_client_of_the_trust_store_is_let_in_and_told_of():
    leaf = stage().clients.leaf("device-7")
    shown = x509.load_pem_x509_certificate(leaf.pem)
    for version in ("1.2", "1.3"):
        code, seen = curl(leaf, "--tls-max", version, "-H", "X-Amzn-Mtls-Clientcert-Subject: forged")
        equal(code, 0, seen)
        equal(seen[f"{HEAD}-subject"], "CN=device-7,O=Devices\\, Ltd,C=US")
        equal((seen[f"{HEAD}-issuer"], seen[f"{HEAD}-serial-number"]), ("CN=clients", "0A03F5B1"))
        days = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (shown.not_valid_before_utc, shown.not_valid_after_utc)]
        equal(seen[f"{HEAD}-validity"], f"NotBefore={days[0]};NotAfter={days[1]}")
        equal(x509.load_pem_x509_certificate(unquote(seen[f"{HEAD}-leaf"]).encode()), shown)
        equal(HEAD in seen, False)


def test_whoever_does_not_lead_to_it_has_no_connection():
    strangers = Authority("clients")
    over = stage().clients.leaf("device-8", days=(-30, -1))
    for leaf in (None, strangers.leaf("device-7"), over):
        for version in ("1.2", "1.3"):
            code, words = curl(leaf, "--tls-max", version)
            equal(code in harness.HANDSHAKE_REFUSED, True, words)
    told = ask(Mode="verify", TrustStoreArn=stage().store, IgnoreClientCertificateExpiry=True)
    equal(told["IgnoreClientCertificateExpiry"], True)
    equal(curl(over)[0], 0)
    equal(curl(strangers.leaf("device-7"))[0] in harness.HANDSHAKE_REFUSED, True)


def test_whoever_is_revoked_has_no_connection_and_others_have():
    elb, store = stage().elb, stage().store
    good, lost, late = [stage().clients.leaf(f"device-{serial}", serial=serial) for serial in (21, 22, 23)]
    place = dict(S3Bucket="trust", RevocationType="CRL")
    first = stage().clients.revoking(22)
    stage().bucket.joinpath("first.pem").write_bytes(first)
    stage().bucket.joinpath("second.pem@v1").write_bytes(stage().clients.revoking(23, 99))
    equal([curl(leaf)[0] for leaf in (good, lost, late)], [0, 0, 0])
    contents = [dict(place, S3Key="first.pem"), dict(place, S3Key="second.pem", S3ObjectVersion="v1")]
    added = elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=contents)["TrustStoreRevocations"]
    equal([(one["RevocationId"], one["NumberOfRevokedEntries"]) for one in added], [(1, 1), (2, 2)])
    equal(elb.describe_trust_stores()["TrustStores"][0]["TotalRevokedEntries"], 3)
    for _ in range(2):
        equal(curl(good)[0], 0)
        for leaf in (lost, late):
            for version in ("1.2", "1.3"):
                code, words = curl(leaf, "--tls-max", version)
                equal((code in harness.HANDSHAKE_REFUSED, "revoked" in words), (True, True), words)
        # What was read once is kept.
        stage().bucket.joinpath("first.pem").unlink(missing_ok=True)
        stage().server.kill()
        stage().server.start()
        stage().elb = elb = stage().server.clients().elbv2
    stage().chain.aws = stage().server.clients()
    equal(fetch(elb.get_trust_store_revocation_content(TrustStoreArn=store, RevocationId=1)), first)
    equal(fetch(elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)), stage().clients.pem)
    refused("RevocationIdNotFound", elb.remove_trust_store_revocations, TrustStoreArn=store, RevocationIds=[1, 7])
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[1])
    equal((curl(lost)[0], curl(late)[0] in harness.HANDSHAKE_REFUSED), (0, True))
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[2])
    equal(elb.describe_trust_store_revocations(TrustStoreArn=store)["TrustStoreRevocations"], [])
    equal(curl(late)[0], 0)
    missing = [dict(place, S3Key="none.pem")]
    refused("RevocationContentNotFound", elb.add_trust_store_revocations, TrustStoreArn=store, RevocationContents=missing)
    other = [dict(place, S3Key="clients.pem")]
    refused("InvalidRevocationContent", elb.add_trust_store_revocations, TrustStoreArn=store, RevocationContents=other)


def fetch(answer):
    """What an address leads to, by a client without any key; nobody else's signature does."""
    address = answer["Location"]
    words = ["curl", "-sS", "--max-time", "20", "-w", "%{stderr}%{http_code}"]
    forged = subprocess.run([*words, address[:-4] + "0000"], capture_output=True)
    equal(forged.stderr, b"403", forged.stdout)
    done = subprocess.run([*words, address], capture_output=True)
    equal(done.stderr, b"200", done.stdout)
    return done.stdout


def test_names_are_advertised_where_that_is_wanted():
    def told():
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{stage().port}", "-tls1_2"]
        done = subprocess.run(words, input="", capture_output=True, text=True, timeout=20)
        return "Acceptable client certificate CA names\nCN = clients" in done.stdout.replace("CN=clients", "CN = clients")

    wanted = dict(Mode="verify", TrustStoreArn=stage().store)
    equal((ask(**wanted)["AdvertiseTrustStoreCaNames"], told()), ("off", False))
    equal((ask(**wanted, AdvertiseTrustStoreCaNames="on")["AdvertiseTrustStoreCaNames"], told()), ("on", True))


def test_a_replaced_bundle_and_a_kill_count_at_once():
    others = Authority("others")
    stage().bucket.joinpath("others.pem").write_bytes(others.pem)
    place = dict(CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key="others.pem")
    stage().elb.modify_trust_store(TrustStoreArn=stage().store, **place)
    for _ in range(2):
        equal(curl(others.leaf("device-9"))[0], 0)
        equal(curl(stage().clients.leaf("device-7"))[0] in harness.HANDSHAKE_REFUSED, True)
        stage().bucket.joinpath("others.pem").unlink(missing_ok=True)
        stage().server.kill()
        stage().server.start()
        stage().elb = stage().server.clients().elbv2
    stage().chain.aws = stage().server.clients()


def test_a_link_has_no_certificate():
    api, integration = stage().chain.stack["api"], stage().chain.stack["integration"]
    tls = {"ServerNameToVerify": "internal.example.com"}
    stage().chain.aws.apigatewayv2.update_integration(ApiId=api, IntegrationId=integration, TlsConfig=tls)
    equal(stage().chain.get().status, 503)


def test_what_is_shown_is_passed_on():
    equal(ask(Mode="passthrough"), {"Mode": "passthrough"})
    leaf = Authority("strangers").leaf("anyone")
    seen = curl(leaf, "-H", "X-Amzn-Mtls-Clientcert: forged")[1]
    equal(unquote(seen[HEAD]).encode(), leaf.pem)
    equal([name for name in seen if name.startswith(HEAD)], [HEAD])
    equal(HEAD in curl(None, "-H", "X-Amzn-Mtls-Clientcert: forged")[1], False)
    key = "routing.http.request.x_amzn_mtls_clientcert.header_name"
    renamed = [{"Key": key, "Value": "X-Client-Chain"}]
    stage().elb.modify_listener_attributes(ListenerArn=stage().listener, Attributes=renamed)
    seen = curl(leaf)[1]
    equal((unquote(seen["x-client-chain"]).encode(), HEAD in seen), (leaf.pem, False))


def test_a_trust_store_is_kept_while_it_is_used():
    elb, store = stage().elb, stage().store
    ask(Mode="verify", TrustStoreArn=store)
    users = elb.describe_trust_store_associations(TrustStoreArn=store)["TrustStoreAssociations"]
    equal(users, [{"ResourceArn": stage().listener}])
    refused("TrustStoreInUse", elb.delete_trust_store, TrustStoreArn=store)
    ask(Mode="off")
    elb.delete_trust_store(TrustStoreArn=store)
    refused("TrustStoreNotFound", elb.describe_trust_stores, Names=["clients"])
    equal(curl(None)[0], 0)
    place = dict(CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key="none.pem")
    refused("CaCertificatesBundleNotFound", elb.create_trust_store, Name="none", **place)
    stage().chain.close()
    stage().server.close()
    stage().kept.cleanup()


class Mutual(Module):
    """On a server that has a place for buckets."""

    def __init__(self, root):
        super().__init__("mutual-tls")
        self.on(harness.Server(args=["--s3-root", root]))


def test_the_trust_store_and_the_block_of_terraform():
    with tempfile.TemporaryDirectory(prefix="tidegate-trust-") as root:
        Path(root, "trust").mkdir()
        for name in ("clients", "others"):
            authority = Authority(name)
            Path(root, "trust", f"{name}.pem").write_bytes(authority.pem)
            Path(root, "trust", f"{name}.crl").write_bytes(authority.revoking(1, 2))
        work = Mutual(root)
        try:
            work.apply()
            tags = work.aws.elbv2.describe_tags(ResourceArns=[work.outputs()["trust_store"]])["TagDescriptions"][0]["Tags"]
            equal(tags, [{"Key": "Example", "Value": "ex-mutual-tls"}])
            equal(work.aws.elbv2.describe_trust_stores()["TrustStores"][0]["TotalRevokedEntries"], 2)
            change = ("-var", "bundle=others.pem", "-var", "revoked=others.crl", "-var", "names=off", "-no-color")
            work.run("apply", "-auto-approve", *change)
            work.run("plan", "-detailed-exitcode", *change)
            lists = work.aws.elbv2.describe_trust_store_revocations(TrustStoreArn=work.outputs()["trust_store"])
            equal([one["RevocationId"] for one in lists["TrustStoreRevocations"]], [2])
            work.destroy()
            equal(work.aws.elbv2.describe_trust_stores()["TrustStores"], [])
        finally:
            work.server.close()


harness.main()
