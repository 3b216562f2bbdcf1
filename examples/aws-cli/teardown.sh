#!/usr/bin/env bash
# Removes what build.sh made, in the order in which AWS allows it.
set -euo pipefail
STATE=${STATE:-stack.env}
source "$STATE"

aws apigatewayv2 delete-api --api-id "$API"
aws apigatewayv2 delete-vpc-link --vpc-link-id "$LINK" >/dev/null
for _ in {1..120}; do # the link's interfaces hold its groups and subnets until it is gone
    aws apigatewayv2 get-vpc-link --vpc-link-id "$LINK" >/dev/null 2>&1 || break
    sleep 1
done

aws elbv2 delete-load-balancer --load-balancer-arn "$LB"
aws elbv2 wait load-balancers-deleted --load-balancer-arns "$LB"
aws elbv2 delete-target-group --target-group-arn "$TG"
for address in "$TARGET_A" "$TARGET_B"; do
    tidegate detach --vpc "$VPC" "$address:8080"
done
for _ in {1..120}; do # the load balancer's interfaces go a moment after it
    left=$(aws ec2 describe-network-interfaces --filters "Name=vpc-id,Values=$VPC" --query 'length(NetworkInterfaces)' --output text)
    [[ $left != 0 ]] || break
    sleep 1
done

# Two groups that name each other can only be deleted once the rules are gone.
for pair in "egress $LINK_SG 80 $ALB_SG" "ingress $ALB_SG 80 $LINK_SG" \
    "egress $ALB_SG 8080 $TARGET_SG" "ingress $TARGET_SG 8080 $ALB_SG"; do
    read -r direction group port other <<<"$pair"
    aws ec2 "revoke-security-group-$direction" --group-id "$group" --ip-permissions \
        "IpProtocol=tcp,FromPort=$port,ToPort=$port,UserIdGroupPairs=[{GroupId=$other}]" >/dev/null || true # break.sh took one
done
for group in "$LINK_SG" "$ALB_SG" "$TARGET_SG"; do
    aws ec2 delete-security-group --group-id "$group" >/dev/null
done

for association in $(aws ec2 describe-route-tables --route-table-ids "$PUBLIC_ROUTES" \
    --query 'RouteTables[0].Associations[].RouteTableAssociationId' --output text); do
    aws ec2 disassociate-route-table --association-id "$association"
done
aws ec2 delete-route-table --route-table-id "$PUBLIC_ROUTES" >/dev/null
aws ec2 detach-internet-gateway --vpc-id "$VPC" --internet-gateway-id "$IGW"
aws ec2 delete-internet-gateway --internet-gateway-id "$IGW"
for subnet in "$PUBLIC_A" "$PUBLIC_B" "$PRIVATE_A" "$PRIVATE_B"; do
    aws ec2 delete-subnet --subnet-id "$subnet"
done
aws ec2 delete-vpc --vpc-id "$VPC"
rm -f "$STATE"
