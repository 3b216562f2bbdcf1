"""Client certificates of REST APIs: generated, given to a stage by the real Terraform, and shown to a real TLS server that asks for one and
lets nobody in without."""

import json
import os
import ssl
import tempfile
from pathlib import Path

import harness
from cryptography import x509
from harness import equal, refused
from terraform import Module


class Asking(harness.Backend):
    """A backend with TLS that takes only clients with a certificate that it knows, and tells the certificate's serial number."""

    def __init__(self, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{pair}.crt", f"{pair}.key")
        self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__("asking")

    def revive(self):
        super().revive()
        accept = self.server.get_request

        def within_tls():
            stream, address = accept()
            # The handshake is the connection's own thread's.
            return self.context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), address

        def answer(own):
            payload = json.dumps({"serial": own.connection.getpeercert()["serialNumber"]}).encode()
            own.send_response(200)
            own.send_header("Content-Length", str(len(payload)))
            own.end_headers()
            own.wfile.write(payload)

        self.server.RequestHandlerClass.do_GET = answer
        self.server.get_request = within_tls
        self.server.handle_error = lambda request, address: None

    def believe(self, pem):
        self.context.load_verify_locations(cadata=pem)


def serial(pem):
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:X}"


def told(answer):
    equal(answer.status, 200, answer.text)
    return json.loads(answer.text)["serial"].lstrip("0")


def test_a_stage_shows_its_certificate_and_no_other_stage_does():
    work = Module("client-certificate")
    pair = work.certificate("localhost", "backends")
    backend = Asking(pair)
    config = f'[egress]\nallow = ["127.0.0.0/8", "::1/128"]\n\n[tls]\nextra_roots = "{work.authority("backends")}"\n'
    work.on(harness.Server(config=config))
    work.env["TF_VAR_backend"] = f"https://localhost:{backend.port}/"
    try:
        work.apply()
        out, rest = work.outputs(), work.aws.apigateway
        ask = lambda stage: harness.request(work.server.api, f"/_aws/execute-api/{out['api']}/{stage}/")
        assert ask("shown").status >= 500, "nobody believes it yet"
        backend.believe(out["pem"])
        equal(told(ask("shown")), serial(out["pem"]))
        # A connection that showed a certificate is kept, and is not for a stage without one.
        assert ask("plain").status >= 500
        equal(told(ask("shown")), serial(out["pem"]))
        tried = rest.test_invoke_method(
            restApiId=out["api"], resourceId=out["resource"], httpMethod="GET", clientCertificateId=out["certificate"]
        )
        equal((tried["status"], json.loads(tried["body"])["serial"].lstrip("0")), (200, serial(out["pem"])))
        tried = rest.test_invoke_method(restApiId=out["api"], resourceId=out["resource"], httpMethod="GET")
        assert tried["status"] >= 500, tried
        refused("ConflictException", rest.delete_client_certificate, clientCertificateId=out["certificate"])
        rotates(work, out, backend, ask)
        work.change(lambda _, address: ["update"] if address == "aws_api_gateway_client_certificate.this" else ["no-op"])
        work.destroy()
    finally:
        backend.kill()
        work.server.close()


def rotates(work, out, backend, ask):
    """Another certificate takes the place of the one before, without a failed request; then the first one again."""
    rest = work.aws.apigateway
    made = rest.generate_client_certificate(description="next")
    assert "PRIVATE" not in json.dumps(made, default=str)
    backend.believe(made["pemEncodedCertificate"])
    place = lambda id: rest.update_stage(
        restApiId=out["api"], stageName="shown", patchOperations=[{"op": "replace", "path": "/clientCertificateId", "value": id}]
    )
    equal(place(made["clientCertificateId"])["clientCertificateId"], made["clientCertificateId"])
    equal(told(ask("shown")), serial(made["pemEncodedCertificate"]))
    place(out["certificate"])
    equal(told(ask("shown")), serial(out["pem"]))
    rest.delete_client_certificate(clientCertificateId=made["clientCertificateId"])


def test_a_certificate_and_its_key_outlive_a_restart():
    with tempfile.TemporaryDirectory(prefix="tidegate-client-certificates-") as data:
        server = harness.Server(data_dir=data)
        try:
            made = server.clients().apigateway.generate_client_certificate(tags={"a": "b"})
            server.kill()
            rest = server.start().clients().apigateway
            kept = rest.get_client_certificate(clientCertificateId=made["clientCertificateId"])
            for member in ("pemEncodedCertificate", "createdDate", "expirationDate", "tags"):
                equal(kept[member], made[member])
            equal((kept["expirationDate"] - kept["createdDate"]).days in (364, 365), True)
            mode = os.stat(Path(data, "state.db")).st_mode & 0o777
            equal(mode, 0o600, "the key is for the owner alone")
        finally:
            server.close()


harness.main()
