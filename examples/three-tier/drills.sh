#!/bin/sh
# Four drills on the stack of this directory, after `terraform apply`: each says what it does, what is to be seen, and fails where that is not seen.
# The server runs with `--fabric kernel`; TIDEGATE_API names it where it is not at 127.0.0.1:4566.
set -eu
cd "$(dirname "$0")"
: "${TIDEGATE:=tidegate}"
# Words that lead the target group's state to another server than AWS: `aws` as the README of the CLI example sets it up.
: "${AWS:=aws}"

told=$(terraform output -json)

# An output of the stack, or a member of one.
output() { printf '%s' "$told" | python3 -c 'import json, sys
value = json.load(sys.stdin)[sys.argv[1]]["value"]
print(value if len(sys.argv) < 3 else value[sys.argv[2]])' "$@"; }

url=$(output url)
group_arn=$(output target_group_arn)
balancer=$(output load_balancer)
data=$(output groups data)
started=

say() { printf '\n== %s\n' "$1"; }

# Starts a program of a tier in a zone; its process is kept in pid_<tier>_<zone>.
start() {
    tier=$1 zone=$2
    shift 2
    case $tier in web) base=10 ;; app) base=20 ;; data) base=30 ;; esac
    $TIDEGATE run --subnet "$(output subnets "$tier-$zone")" --ip "10.0.$((base + zone)).10" \
        --security-group "$(output groups "$tier")" -- python3 tier.py "$tier-$zone" "$@" &
    eval "pid_${tier}_$zone=$!"
    started="$started $!"
}

# One program of a tier's group, for as long as it takes.
once() {
    tier=$1
    shift
    $TIDEGATE run --subnet "$(output subnets "$tier-0")" --security-group "$(output groups "$tier")" --port 9999 -- "$@"
}

# What curl says; 28 is silence, 7 is nobody there.
silent() {
    code=0
    "$@" || code=$?
    [ "$code" = 28 ] || { echo "silence was expected, and not $code"; exit 1; }
    echo "silence"
}

healthy() {
    $AWS elbv2 describe-target-health --target-group-arn "$group_arn" --output text \
        --query 'length(TargetHealthDescriptions[?TargetHealth.State==`healthy`])'
}

# Until as many targets are healthy.
wait_for() {
    left=120
    until [ "$(healthy)" = "$1" ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "not $1 healthy targets within two minutes"; exit 1; }
        sleep 1
    done
}

end() {
    for pid in $started; do kill "$pid" 2>/dev/null || true; done
    wait
}
trap end EXIT

say "three tiers in two zones"
start data 0
start data 1
start app 0 10.0.30.10:8080 10.0.31.10:8080
start app 1 10.0.31.10:8080 10.0.30.10:8080
start web 0 10.0.20.10:8080 10.0.21.10:8080
start web 1 10.0.21.10:8080 10.0.20.10:8080
wait_for 2
for _ in 1 2 3 4; do curl --silent --fail "$url/"; echo; done

say "drill 1: the targets of a zone die, and the other zone serves"
kill "$pid_web_0"
wait_for 1
for _ in 1 2 3 4; do curl --silent --fail "$url/" | grep '"web-1"'; done
start web 0 10.0.20.10:8080 10.0.21.10:8080
wait_for 2

say "drill 2: a tier is called from the wrong place"
echo "the host:"
code=0
curl --silent --max-time 2 http://10.0.30.10:8080/ || code=$?
[ "$code" = 7 ] || [ "$code" = 28 ] || { echo "the host reaches the data tier"; exit 1; }
echo "no way"
echo "the web tier, past the app tier:"
silent once web curl --silent --max-time 2 http://10.0.30.10:8080/
echo "the app tier, back to the load balancer:"
silent once app curl --silent --max-time 2 "http://$balancer/"

say "drill 3: a rule is opened to the world, and found"
$AWS ec2 authorize-security-group-ingress --group-id "$data" --protocol tcp --port 8080 --cidr 0.0.0.0/0 >/dev/null
$AWS ec2 describe-security-group-rules --output text \
    --query 'SecurityGroupRules[?CidrIpv4==`0.0.0.0/0` && !IsEgress].[GroupId,FromPort]' | grep "$data"
echo "the web tier still has no rule that lets it out there:"
silent once web curl --silent --max-time 2 http://10.0.30.10:8080/
$AWS ec2 revoke-security-group-ingress --group-id "$data" --protocol tcp --port 8080 --cidr 0.0.0.0/0 >/dev/null

say "drill 4: the data tier is gone, and the chain says where it ends"
kill "$pid_data_0" "$pid_data_1"
left=30
until [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/")" = 503 ]; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "the web tier still answers for the data tier"; exit 1; }
    sleep 1
done
curl --silent "$url/"
echo
say "all drills passed"
