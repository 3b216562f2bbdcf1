"""The Terraform that `tidegate publish` prints is the same: it applies as it stands, plans nothing more, and serves the same requests."""

import json
from pathlib import Path

import harness
import terraform
from harness import equal

HOST = "svc.example.com"
COMMON = harness.ROOT / "tests" / "conformance" / "terraform" / "common"


class Printed(terraform.Terraform):
    """What was printed for these options, beside the provider block that all configurations share."""

    def __init__(self, backend, *options):
        super().__init__(COMMON)
        self.backend = backend
        certificate = self.certificate(HOST)
        words = [HOST, "--to", backend.address, "--cert", f"{certificate}.crt", "--key", f"{certificate}.key"]
        told = harness.server().tidegate("publish", *words, *options, "--output", "json").json
        harness.server().tidegate("unpublish", HOST)
        Path(self.directory, "printed.tf").write_text(told["terraform"])
        self.before = terraform.inventory(self.aws)
        self.run("init", "-no-color")
        self.apply()

    def attach(self):
        """What the printed configuration says in a comment; the ids are Terraform's."""
        resources = json.loads(self.run("show", "-json"))["values"]["root_module"]["resources"]
        ids = {resource["address"]: resource["values"]["id"] for resource in resources}
        group = ids['aws_security_group.this["service"]']
        words = ["--vpc", ids["aws_vpc.this"], "--security-group", group, "10.97.0.10:8080", self.backend.address]
        harness.server().tidegate("attach", *words)
        harness.server().tidegate("wait", "--healthy")

    def url(self):
        (realm,) = harness.server().tidegate("status", "--output", "json").json["realms"]
        (domain,) = realm["domains"]
        return domain["url"], Path(self.authority()).read_text()

    def close(self):
        harness.server().tidegate("detach", "--all")
        self.destroy()


def test_of_an_http_api():
    backend = harness.Backend("printed")
    options = ["--rate", "5", "--burst", "5", "--cors", "https://app.example.com", "--path", "/v1", "--health", "/h"]
    made = Printed(backend, *options)
    made.attach()
    url, trusted = made.url()
    answer = harness.named(f"{url}v1/orders", trusted)
    equal((answer.status, json.loads(answer.text)["path"]), (200, "/v1/orders"))
    equal(harness.named(f"{url}v2", trusted).status, 404)
    made.close()
    backend.kill()


def test_of_a_rest_api():
    backend = harness.Backend("printed")
    made = Printed(backend, "--api-key", "--rate", "5")
    made.attach()
    url, trusted = made.url()
    equal(harness.named(f"{url}orders", trusted).status, 403)
    key = made.aws.apigateway.get_api_keys(includeValues=True)["items"][0]["value"]
    answer = harness.named(f"{url}orders", trusted, headers={"x-api-key": key})
    equal((answer.status, json.loads(answer.text)["path"]), (200, "/orders"))
    made.close()
    backend.kill()


if __name__ == "__main__":
    harness.main()
