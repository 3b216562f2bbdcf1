"""Secondary blocks of a VPC with traffic: a target whose subnet lies in a block that was associated later is reached through link and load
balancer, judged by groups like any other, and its block cannot go before it."""

import json

import harness
from chain import Chain
from harness import equal, refused

BLOCK, SUBNET, ADDRESS = "100.64.0.0/16", "100.64.1.0/24", "100.64.1.10"
HEALTHY_S = 30


def test_a_target_in_a_secondary_block_is_reached_and_refused_like_any_other():
    server = harness.Server(config='[timeouts]\nblocked_connect = "200ms"\n')
    chain = Chain(server)
    third = harness.Backend("orders-c")
    ec2, elb, stack = chain.aws.ec2, chain.aws.elbv2, chain.stack
    try:
        made = ec2.associate_vpc_cidr_block(VpcId=stack["vpc"], CidrBlock=BLOCK)["CidrBlockAssociation"]
        shown = ec2.describe_vpcs(VpcIds=[stack["vpc"]])["Vpcs"][0]["CidrBlockAssociationSet"]
        equal({one["CidrBlock"]: one["CidrBlockState"]["State"] for one in shown}, {"10.0.0.0/16": "associated", BLOCK: "associated"})
        [zone] = {s["AvailabilityZone"] for s in ec2.describe_subnets(SubnetIds=[stack["private_a"]])["Subnets"]}
        subnet = ec2.create_subnet(VpcId=stack["vpc"], CidrBlock=SUBNET, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for table in ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [stack["vpc"]]}])["RouteTables"]:
            local = {route["DestinationCidrBlock"] for route in table["Routes"] if route.get("GatewayId") == "local"}
            equal(local, {"10.0.0.0/16", BLOCK}, "every table leads to each block")
        server.tidegate("attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"{ADDRESS}:8080", third.address)
        elb.register_targets(TargetGroupArn=stack["tg"], Targets=[{"Id": ADDRESS, "Port": 8080}])
        harness.until("it is healthy", lambda: chain.health()[ADDRESS][0] == "healthy", HEALTHY_S)
        others = [{"Id": address, "Port": 8080} for address in chain.health() if address != ADDRESS]
        elb.deregister_targets(TargetGroupArn=stack["tg"], Targets=others)
        answer = chain.get()
        equal((answer.status, json.loads(answer.text)["backend"]), (200, "orders-c"), answer.text)
        refused("InvalidCidrBlock.InUse", ec2.disassociate_vpc_cidr_block, AssociationId=made["AssociationId"])
        chain.revoke("target_sg", egress=False)
        answer = chain.get()
        equal((answer.status, answer.headers["x-tidegate-trace"]), (504, "SG_INGRESS_DENIED"))
        chain.run_fix(server.explain(answer.id).json)
        equal(json.loads(chain.get().text)["backend"], "orders-c")
        elb.deregister_targets(TargetGroupArn=stack["tg"], Targets=[{"Id": ADDRESS, "Port": 8080}])
        server.tidegate("detach", "--vpc", stack["vpc"], f"{ADDRESS}:8080")
        ec2.delete_subnet(SubnetId=subnet)
        ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])
        shown = ec2.describe_vpcs(VpcIds=[stack["vpc"]])["Vpcs"][0]["CidrBlockAssociationSet"]
        equal([one["CidrBlock"] for one in shown if one["CidrBlockState"]["State"] == "associated"], ["10.0.0.0/16"])
    finally:
        for backend in [*chain.backends, third]:
            backend.kill()
        server.close()


harness.main()
