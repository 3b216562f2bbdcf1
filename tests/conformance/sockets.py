"""Sockets of listeners, and certificates for them."""

import datetime
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness import equal

PEM, PKCS8, PLAIN = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


def signed_by_itself(key, *names):
    """A certificate for these names that signs itself, and its key: both in PEM."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=30))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(PEM), key.private_bytes(PEM, PKCS8, PLAIN)


def imported(aws, key, *names):
    """Imports a certificate that signs itself; its ARN, and it."""
    made, private = signed_by_itself(key, *names)
    return aws.acm.import_certificate(Certificate=made, PrivateKey=private)["CertificateArn"], made


def certificate(chain, key, *names):
    """Imports a certificate that signs itself; its ARN."""
    return imported(chain.aws, key, *names)[0]


def curl(url, *options):
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", "20", *options, url], capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    head, _, body = done.stdout.rpartition("\n\n")
    return head, body


def listen(chain, listener, *options, at="127.0.0.1:0", check=True):
    return chain.server.tidegate("attach", "--listen", listener, at, *options, check=check)
