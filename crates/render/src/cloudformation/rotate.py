"""Rotates a secret: a random text of the same length, or one for each value of a JSON object."""
import json
import secrets
import string

import boto3

ALPHABET = string.ascii_letters + string.digits
client = boto3.client("secretsmanager")


def fresh(old):
    return "".join(secrets.choice(ALPHABET) for _ in range(max(len(old), 16)))


def successor(value):
    try:
        values = json.loads(value)
    except ValueError:
        return fresh(value)
    if not isinstance(values, dict):
        return fresh(value)
    return json.dumps({key: fresh(str(old)) for key, old in values.items()})


def handler(event, _context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    if "AWSCURRENT" in stages.get(token, []):
        return
    if step == "createSecret":
        if "AWSPENDING" in stages.get(token, []) and pending(secret, token):
            return
        current = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
        client.put_secret_value(
            SecretId=secret,
            ClientRequestToken=token,
            SecretString=successor(current["SecretString"]),
            VersionStages=["AWSPENDING"],
        )
    elif step == "finishSecret":
        before = next(v for v, names in stages.items() if "AWSCURRENT" in names)
        client.update_secret_version_stage(
            SecretId=secret,
            VersionStage="AWSCURRENT",
            MoveToVersionId=token,
            RemoveFromVersionId=before,
        )


def pending(secret, token):
    try:
        client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
