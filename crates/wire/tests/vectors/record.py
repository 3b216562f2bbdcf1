"""Records what botocore puts on the wire, and checks with botocore's parsers what we put there.

  record.py inputs    writes inputs.json: one signed request per supported operation, with every supported member set
  record.py presigned writes presigned.json: signed query strings
  record.py samples   writes outputs.json: one answer per supported operation, without bytes;
                      then `UPDATE=1 cargo test -p tidegate-wire` adds our bytes
  record.py check     parses the bytes in outputs.json with botocore and compares

Recorded 2026-11-28 with botocore 1.43.11. Nothing is sent anywhere: requests are caught before the socket.
"""

import base64
import datetime
import json
import os
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.parsers
from botocore.awsrequest import HeadersDict
import botocore.session
from botocore.config import Config
from botocore.handlers import base64_encode_user_data

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "..", "..", "..", "models")
SERVICES = ["sts", "ec2", "elbv2", "apigateway", "apigatewayv2", "logs", "acm"]
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 11, 22, 10, 0, 0, tzinfo=datetime.timezone.utc)
WORDS = ["tide", "a b&c=d+e/f%?é", "arn:aws:acm:us-east-1:000000000000:certificate/c1", "HTTP", "200", "ab", "tide.example"]
# For what none of them fits. Of its own, so that what the others fit stays as it is.
RARE_WORDS = ["-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"]


def model(service):
    with open(os.path.join(MODELS, service + ".json")) as file:
        return json.load(file)


def text(shape, salt):
    import re

    if "enum" in shape:
        return shape["enum"][salt % len(shape["enum"])]
    for word in [WORDS[(salt + turn) % len(WORDS)] for turn in range(len(WORDS))] + RARE_WORDS:
        word = word * max(1, -(-int(shape.get("min", 0)) // len(word)))
        pattern = shape.get("pattern")
        pattern = pattern and re.sub(r"\\p\{[LZN]\}", "a-zA-Z0-9 ", pattern)
        if len(word) <= shape.get("max", 1 << 30) and (not pattern or re.fullmatch(pattern, word)):
            return word
    raise SystemExit(f"no word fits {shape}")


class Sampler:
    """Fills every member of a shape with something valid; consecutive values differ."""

    def __init__(self, shapes, location=None):
        self.shapes = shapes
        self.salt = 0

    def sample(self, name):
        shape = self.shapes[name]
        self.salt += 1
        kind = shape["type"]
        if kind == "structure":
            return {m: self.sample(r["shape"]) for m, r in shape["members"].items()}
        if kind == "list":
            count = max(int(shape.get("min", 0)), min(2, int(shape.get("max", 2))))
            return [self.sample(shape["member"]["shape"]) for _ in range(count)]
        if kind == "map":
            return {text(self.shapes[shape["key"]["shape"]], self.salt + i): self.sample(shape["value"]["shape"]) for i in range(2)}
        if kind in ("integer", "long"):
            return int(min(max(shape.get("min", 0), 7 + self.salt), shape.get("max", 1 << 30)))
        if kind in ("double", "float"):
            return 2.5 + self.salt
        if kind == "boolean":
            return self.salt % 2 == 0
        if kind == "timestamp":
            return {"$time": int(NOW.timestamp() * 1000)}
        if kind == "blob":
            return {"$blob": base64.b64encode(b"\x00tide\xff").decode()}
        return text(shape, self.salt)


def native(value):
    """A sample as boto3 takes it."""
    if isinstance(value, dict):
        if "$time" in value:
            return datetime.datetime.fromtimestamp(value["$time"] / 1000, datetime.timezone.utc)
        if "$blob" in value:
            return base64.b64decode(value["$blob"])
        return {k: native(v) for k, v in value.items()}
    return [native(v) for v in value] if isinstance(value, list) else value


def whole_body(shape, sample):
    """The member that is the whole body, where there is one, as text: the record keeps it so."""
    if "payload" in shape:
        sample[shape["payload"]] = {"$blob": base64.b64encode("openapi: 3.0.1 # é\n".encode()).decode()}
    return sample


def fix_time():
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW


class Caught(Exception):
    pass


def inputs():
    fix_time()
    session = botocore.session.get_session()
    session.set_credentials(KEY, SECRET)
    records = []
    for service in SERVICES:
        trimmed = model(service)
        caught = []

        def catch(request, **_):
            caught.append(request)
            raise Caught()

        client = session.create_client(
            service, "us-east-1", endpoint_url="http://localhost:4566", config=Config(retries={"max_attempts": 0})
        )
        client.meta.events.register("before-send", catch)
        # User data goes out as it is given, so that it can be compared.
        client.meta.events.unregister("before-parameter-build.ec2.RunInstances", base64_encode_user_data)
        names = {v: k for k, v in client.meta.method_to_api_mapping.items()}
        for operation, spec in trimmed["operations"].items():
            shape = spec["input"]["shape"]
            params = whole_body(trimmed["shapes"][shape], Sampler(trimmed["shapes"]).sample(shape))
            try:
                getattr(client, names[operation])(**native(params))
            except Caught:
                pass
            request = caught.pop()
            headers = {k.lower(): v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
            body = request.body or b""
            body = body if isinstance(body, bytes) else body.encode()
            signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
            kept = {k: v for k, v in headers.items() if k in signed or k in ("authorization", "content-type")}
            kept["host"] = "localhost:4566"
            records.append(
                {
                    "service": service,
                    "operation": operation,
                    "method": request.method,
                    "target": request.url[len("http://localhost:4566") :],
                    "headers": kept,
                    "body": body.decode(),
                    "params": params,
                }
            )
    save("inputs.json", records)


def presigned():
    fix_time()
    records = []
    credentials = botocore.credentials.Credentials(KEY, SECRET)
    for service, query in [
        ("sts", "Action=GetCallerIdentity&Version=2011-06-15"),
        ("ec2", "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=a%20b"),
    ]:
        request = botocore.awsrequest.AWSRequest("GET", "http://localhost:4566/?" + query)
        botocore.auth.SigV4QueryAuth(credentials, service, "eu-west-1", expires=900).add_auth(request)
        target = request.prepare().url[len("http://localhost:4566") :]
        records.append({"service": service, "target": target, "headers": {"host": "localhost:4566"}})
    save("presigned.json", records)


def samples():
    records = []
    for service in SERVICES:
        trimmed = model(service)
        for operation, spec in trimmed["operations"].items():
            sample = {}
            if "output" in spec:
                shape = spec["output"]["shape"]
                sample = whole_body(trimmed["shapes"][shape], Sampler(trimmed["shapes"]).sample(shape))
            records.append({"service": service, "operation": operation, "sample": sample})
    save("outputs.json", records)


def plain(value):
    """What a botocore parser gave, in the form of a sample."""
    if isinstance(value, datetime.datetime):
        return {"$time": int(value.timestamp() * 1000)}
    if isinstance(value, bytes):
        return {"$blob": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def check():
    session = botocore.session.get_session()
    with open(os.path.join(HERE, "outputs.json")) as file:
        records = json.load(file)
    wrong = 0
    for record in records:
        service = session.get_service_model(record["service"])
        operation = service.operation_model(record["operation"])
        parser = botocore.parsers.create_parser(service.metadata["protocol"])
        answer = {"status_code": record["status"], "headers": HeadersDict(record["headers"]), "body": record["body"].encode()}
        parsed = parser.parse(answer, operation.output_shape)
        payload = operation.output_shape.serialization.get("payload") if operation.output_shape else None
        if payload and isinstance(parsed.get(payload), str):
            # The parser decodes a payload that does not stream.
            parsed[payload] = parsed[payload].encode()
        meta = parsed.pop("ResponseMetadata")
        if plain(parsed) != record["sample"] or meta["RequestId"] != "11111111-2222-3333-4444-555555555555":
            wrong += 1
            print(record["service"], record["operation"], json.dumps(plain(parsed))[:400], json.dumps(record["sample"])[:400], meta)
    print(f"{len(records)} answers, {wrong} wrong")
    sys.exit(1 if wrong else 0)


def save(name, records):
    with open(os.path.join(HERE, name), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False, sort_keys=True) for r in records) + "\n]\n")


{"inputs": inputs, "presigned": presigned, "samples": samples, "check": check}[sys.argv[1]]()
