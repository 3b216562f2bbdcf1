"""How the scripts beside this one wait for the measured stack's targets."""

import sys
import time

import boto3

PATIENCE_S = 60


def wait(stack, holds=lambda: True):
    """Until all targets are healthy and this holds; otherwise the script ends with what is known of them."""
    balancers = boto3.client("elbv2")
    end = time.monotonic() + PATIENCE_S
    while True:
        told = balancers.describe_target_health(TargetGroupArn=stack["tg"])["TargetHealthDescriptions"]
        if all(one["TargetHealth"]["State"] == "healthy" for one in told) and holds():
            return
        if time.monotonic() > end:
            sys.exit(f"not healthy: {told}")
        time.sleep(0.2)
