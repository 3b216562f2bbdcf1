#!/usr/bin/env bash
# The whole chain, typed by hand: a VPC, an internal load balancer, a VPC link and an HTTP API in front of it.
# Needs a running `tidegate up` and `eval "$(tidegate env)"`. Leaves the ids in stack.env (STATE names another file).
set -euo pipefail
STATE=${STATE:-stack.env}
BACKEND=${BACKEND:-127.0.0.1:9000} # where the private service really listens
NAME=${NAME:-orders}
: >"$STATE"

# Remembers a value under a name, for the scripts that come after this one.
keep() {
    printf -v "$1" '%s' "$2"
    printf '%s=%q\n' "$1" "$2" >>"$STATE"
}
tag() { echo "ResourceType=$1,Tags=[{Key=Name,Value=$2}]"; }

# --- The network: two public and two private subnets in two zones.
keep VPC "$(aws ec2 create-vpc --cidr-block 10.0.0.0/16 --tag-specifications "$(tag vpc "$NAME")" --query Vpc.VpcId --output text)"
aws ec2 wait vpc-available --vpc-ids "$VPC"
aws ec2 modify-vpc-attribute --vpc-id "$VPC" --enable-dns-hostnames
read -r ZONE_A ZONE_B <<<"$(aws ec2 describe-availability-zones --query 'AvailabilityZones[:2].ZoneName' --output text)"

subnet() { # name, range, zone
    aws ec2 create-subnet --vpc-id "$VPC" --cidr-block "$2" --availability-zone "$3" \
        --tag-specifications "$(tag subnet "$1")" --query Subnet.SubnetId --output text
}
keep PUBLIC_A "$(subnet public-a 10.0.0.0/24 "$ZONE_A")"
keep PUBLIC_B "$(subnet public-b 10.0.1.0/24 "$ZONE_B")"
keep PRIVATE_A "$(subnet private-a 10.0.10.0/24 "$ZONE_A")"
keep PRIVATE_B "$(subnet private-b 10.0.11.0/24 "$ZONE_B")"

keep IGW "$(aws ec2 create-internet-gateway --query InternetGateway.InternetGatewayId --output text)"
aws ec2 attach-internet-gateway --vpc-id "$VPC" --internet-gateway-id "$IGW"
keep PUBLIC_ROUTES "$(aws ec2 create-route-table --vpc-id "$VPC" --query RouteTable.RouteTableId --output text)"
aws ec2 create-route --route-table-id "$PUBLIC_ROUTES" --destination-cidr-block 0.0.0.0/0 --gateway-id "$IGW" >/dev/null
for subnet in "$PUBLIC_A" "$PUBLIC_B"; do
    aws ec2 associate-route-table --route-table-id "$PUBLIC_ROUTES" --subnet-id "$subnet" >/dev/null
done

# --- Who may talk to whom: link -> load balancer on 80, load balancer -> targets on 8080, nothing else.
group() { # name, description
    local id
    id=$(aws ec2 create-security-group --group-name "$1" --description "$2" --vpc-id "$VPC" --query GroupId --output text)
    aws ec2 revoke-security-group-egress --group-id "$id" \
        --ip-permissions 'IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]' >/dev/null
    echo "$id"
}
keep LINK_SG "$(group "$NAME-link" 'VPC link')"
keep ALB_SG "$(group "$NAME-alb" 'internal load balancer')"
keep TARGET_SG "$(group "$NAME-target" 'private service')"

rule() { # egress or ingress, group, port, other group
    aws ec2 "authorize-security-group-$1" --group-id "$2" \
        --ip-permissions "IpProtocol=tcp,FromPort=$3,ToPort=$3,UserIdGroupPairs=[{GroupId=$4}]" >/dev/null
}
rule egress "$LINK_SG" 80 "$ALB_SG"
rule ingress "$ALB_SG" 80 "$LINK_SG"
rule egress "$ALB_SG" 8080 "$TARGET_SG"
rule ingress "$TARGET_SG" 8080 "$ALB_SG"

# --- The internal load balancer in the private subnets.
keep LB "$(aws elbv2 create-load-balancer --name "$NAME" --type application --scheme internal \
    --subnets "$PRIVATE_A" "$PRIVATE_B" --security-groups "$ALB_SG" --query 'LoadBalancers[0].LoadBalancerArn' --output text)"
aws elbv2 wait load-balancer-available --load-balancer-arns "$LB"
keep TG "$(aws elbv2 create-target-group --name "$NAME" --protocol HTTP --port 8080 --vpc-id "$VPC" --target-type ip \
    --health-check-path /health --health-check-interval-seconds 5 --health-check-timeout-seconds 2 \
    --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn' --output text)"
keep LISTENER "$(aws elbv2 create-listener --load-balancer-arn "$LB" --protocol HTTP --port 80 \
    --default-actions 'Type=fixed-response,FixedResponseConfig={StatusCode=404,ContentType=text/plain,MessageBody=no-rule}' \
    --query 'Listeners[0].ListenerArn' --output text)"
keep RULE "$(aws elbv2 create-rule --listener-arn "$LISTENER" --priority 10 \
    --conditions 'Field=path-pattern,Values=/*' --actions "Type=forward,TargetGroupArn=$TG" \
    --query 'Rules[0].RuleArn' --output text)"

# --- Two addresses of the private network, served by a program on this machine.
keep TARGET_A 10.0.10.10
keep TARGET_B 10.0.11.10
for address in "$TARGET_A" "$TARGET_B"; do
    tidegate attach --vpc "$VPC" --security-group "$TARGET_SG" "$address:8080" "$BACKEND"
done
aws elbv2 register-targets --target-group-arn "$TG" --targets "Id=$TARGET_A" "Id=$TARGET_B"

# --- The only way in: a link, and an HTTP API that integrates with the listener through it.
keep LINK "$(aws apigatewayv2 create-vpc-link --name "$NAME" --subnet-ids "$PRIVATE_A" "$PRIVATE_B" \
    --security-group-ids "$LINK_SG" --query VpcLinkId --output text)"
for _ in {1..120}; do
    status=$(aws apigatewayv2 get-vpc-link --vpc-link-id "$LINK" --query VpcLinkStatus --output text)
    [[ $status == PENDING ]] || break
    sleep 1
done
[[ $status == AVAILABLE ]] || { echo "the link is $status" >&2; exit 1; }
keep API "$(aws apigatewayv2 create-api --name "$NAME" --protocol-type HTTP \
    --cors-configuration 'AllowOrigins=https://example.com,AllowMethods=GET,POST,AllowHeaders=content-type,MaxAge=300' \
    --query ApiId --output text)"
keep INTEGRATION "$(aws apigatewayv2 create-integration --api-id "$API" --integration-type HTTP_PROXY \
    --integration-method ANY --integration-uri "$LISTENER" --connection-type VPC_LINK --connection-id "$LINK" \
    --payload-format-version 1.0 --query IntegrationId --output text)"
aws apigatewayv2 create-route --api-id "$API" --route-key 'GET /hello' --target "integrations/$INTEGRATION" >/dev/null
aws apigatewayv2 create-route --api-id "$API" --route-key 'ANY /{proxy+}' --target "integrations/$INTEGRATION" >/dev/null
aws apigatewayv2 create-stage --api-id "$API" --stage-name '$default' --auto-deploy >/dev/null

echo "The backend is expected at $BACKEND:  python3 examples/backend.py --port ${BACKEND##*:}"
echo "curl -i ${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}/_aws/execute-api/$API/hello"
