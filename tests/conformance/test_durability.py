"""Nothing acknowledged is lost: a storm of writes, `kill -9` in its middle, a restart on the same directory, and a look.

TIDEGATE_DURABILITY_ROUNDS says how often (5 unless set; 50 by hand). A write that was under way when the server died may be
there or not; one that was answered must be, and one that was answered as deleted must not.
"""

import os
import random
import shutil
import tempfile
import threading

from botocore.exceptions import BotoCoreError, ClientError

import harness
import build  # harness finds it
from chain import Chain
from harness import equal

ROUNDS = int(os.environ.get("TIDEGATE_DURABILITY_ROUNDS", "5"))
WRITERS = 4
STORM_S = (0.2, 1.0)
SEED = int(os.environ.get("TIDEGATE_DURABILITY_SEED", str(random.randrange(1 << 32))))


class Writer(threading.Thread):
    """Makes, changes and deletes until the server is gone, and keeps what was acknowledged."""

    def __init__(self, server, vpc, name):
        super().__init__(daemon=True)
        self.aws, self.vpc, self.name = server.clients(), vpc, name
        self.groups, self.apis, self.gone, self.maybe = {}, {}, set(), set()
        self.unexpected = None

    def run(self):
        try:
            for count in range(100_000):
                self.group(f"{self.name}-{count}")
                self.api(f"{self.name}-{count}")
        except ClientError as error:
            self.unexpected = error
        except (BotoCoreError, OSError):
            pass  # the server is dead, which is the point

    def group(self, name):
        ec2 = self.aws.ec2
        made = ec2.create_security_group(GroupName=name, Description="storm", VpcId=self.vpc)["GroupId"]
        self.groups[made] = {"name": name, "rule": None, "tag": None}
        allow = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": made}]}]
        rules = ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=allow)["SecurityGroupRules"]
        self.groups[made]["rule"] = rules[0]["SecurityGroupRuleId"]
        ec2.create_tags(Resources=[made], Tags=[{"Key": "storm", "Value": name}])
        self.groups[made]["tag"] = name
        if len(self.groups) % 3 == 0:
            victim = next(iter(self.groups))
            self.maybe.add(victim)
            ec2.delete_security_group(GroupId=victim)
            self.groups.pop(victim)
            self.gone.add(victim)

    def api(self, name):
        api = self.aws.apigatewayv2
        made = api.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
        self.apis[made] = {"name": name, "description": None, "stage": False}
        api.update_api(ApiId=made, Description=name)
        self.apis[made]["description"] = name
        api.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
        self.apis[made]["stage"] = True


def look(server, writers):
    aws = server.clients()
    pages = aws.ec2.get_paginator("describe_security_groups").paginate()
    groups = {group["GroupId"]: group for group in pages.search("SecurityGroups[]")}
    pages = aws.ec2.get_paginator("describe_security_group_rules").paginate()
    rules = {rule["SecurityGroupRuleId"]: rule["GroupId"] for rule in pages.search("SecurityGroupRules[]")}
    apis = {api["ApiId"]: api for api in aws.apigatewayv2.get_paginator("get_apis").paginate().search("Items[]")}
    for writer in writers:
        assert not (lost := writer.gone & set(groups)), f"deleted and back: {lost}"
        for group, wrote in writer.groups.items():
            if group not in groups:
                assert group in writer.maybe, f"lost {group} ({wrote})"
                continue
            equal(groups[group]["GroupName"], wrote["name"])
            assert wrote["rule"] is None or rules.get(wrote["rule"]) == group, f"lost rule {wrote} of {group}"
            tags = {tag["Key"]: tag["Value"] for tag in groups[group].get("Tags", [])}
            assert wrote["tag"] is None or tags.get("storm") == wrote["tag"], f"lost tag {wrote} of {group}: {tags}"
        for api, wrote in writer.apis.items():
            assert api in apis, f"lost API {api} ({wrote})"
            equal(apis[api]["Name"], wrote["name"])
            assert wrote["description"] in (None, apis[api].get("Description")), f"lost update {wrote}: {apis[api]}"
            stages = [stage["StageName"] for stage in aws.apigatewayv2.get_stages(ApiId=api)["Items"]]
            assert not wrote["stage"] or stages == ["$default"], f"lost stage of {api}"
    for rule, group in rules.items():
        assert group in groups, f"rule {rule} belongs to {group}, which does not exist"


def test_acknowledged_writes_survive_kill():
    print(f"seed {SEED}, {ROUNDS} rounds")
    dice = random.Random(SEED)
    directory = tempfile.mkdtemp(prefix="tidegate-durability-")
    server = harness.Server(data_dir=directory)
    try:
        vpc = server.clients().ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        everyone, written = [], 0
        for number in range(ROUNDS):
            writers = [Writer(server, vpc, f"r{number}w{index}") for index in range(WRITERS)]
            for writer in writers:
                writer.start()
            threading.Event().wait(dice.uniform(*STORM_S))
            server.kill()
            for writer in writers:
                writer.join(harness.REQUEST_S)
                assert not writer.is_alive(), "a writer hangs although the server is dead"
                assert writer.unexpected is None, f"a write was refused: {writer.unexpected}"
            everyone += writers
            written += sum(len(w.groups) + len(w.gone) + len(w.apis) for w in writers)
            server.start()
            look(server, everyone)
        assert written > ROUNDS * WRITERS, f"a storm of {written} writes proves nothing"
        print(f"{written} acknowledged resources, none lost")
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_traffic_flows_again_after_kill():
    directory = tempfile.mkdtemp(prefix="tidegate-durability-")
    server = harness.Server(data_dir=directory, config='[timeouts]\nblocked_connect = "200ms"\n')
    try:
        chain = Chain(server)
        equal(chain.get().status, 200)
        chain.revoke("alb_sg", False)
        server.kill()
        server.start()
        chain.aws = server.clients()
        answer = chain.get()
        equal((answer.status, answer.headers.get("x-tidegate-trace")), (503, "SG_INGRESS_DENIED"))
        chain.run_fix(server.explain(answer.id).json)
        server.kill()
        server.start()
        chain.aws = server.clients()
        harness.until("both targets are healthy again", lambda: set(chain.health().values()) == {("healthy", None)}, 20)
        equal(chain.get().status, 200)
        build.teardown(chain.aws, chain.stack, harness.binary(), server.env())
        server.kill()
        server.start()
        aws = server.clients()
        equal(aws.apigatewayv2.get_apis()["Items"], [])
        equal(aws.elbv2.describe_load_balancers()["LoadBalancers"], [])
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_a_second_server_on_the_same_directory_is_refused():
    directory = tempfile.mkdtemp(prefix="tidegate-durability-")
    server = harness.Server(data_dir=directory)
    try:
        words = [harness.binary(), "up", "--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--data-dir", directory]
        second = harness.command([*words, "--output", "json"], server.env(), check=False)
        equal(second.returncode, 1, second.stdout + second.stderr)
        equal(second.stdout, "", "no ready line")
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)


harness.main()
