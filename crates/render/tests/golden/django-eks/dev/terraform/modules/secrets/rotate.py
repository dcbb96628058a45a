"""Replaces the generated values of a secret; Secrets Manager calls it once for each of four steps.

GENERATED says which properties of which secret are made up anew, as JSON: {ARN: {PROPERTY: LENGTH}}. The empty property
is the whole secret. Properties that are not named stay as they are. Nothing is written to the log but names and steps.
"""

import json
import logging
import os

import boto3

LOG = logging.getLogger()
LOG.setLevel(logging.INFO)

CLIENT = boto3.client("secretsmanager")


def handler(event, _context):
    """Does one step of one rotation."""
    secret, version, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = CLIENT.describe_secret(SecretId=secret)["VersionIdsToStages"].get(version)
    if stages is None:
        raise ValueError(f"version {version} was not staged for rotation of {secret}")
    if "AWSCURRENT" in stages:
        LOG.info("%s: %s is current already", secret, version)
        return
    if "AWSPENDING" not in stages:
        raise ValueError(f"version {version} of {secret} is not pending")
    # Nothing but the secret itself knows the value, so that there is nothing to set or to test elsewhere.
    if step == "createSecret":
        create(secret, version)
    elif step == "finishSecret":
        finish(secret, version)
    LOG.info("%s: %s is done", secret, step)


def create(secret, version):
    """Stages the next value, unless an earlier try has done so."""
    try:
        CLIENT.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
        return
    except CLIENT.exceptions.ResourceNotFoundException:
        pass
    lengths = json.loads(os.environ["GENERATED"])[secret]
    if "" in lengths:
        value = made_up(lengths[""])
    else:
        current = CLIENT.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
        properties = json.loads(current["SecretString"])
        properties.update({name: made_up(length) for name, length in lengths.items()})
        value = json.dumps(properties)
    CLIENT.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=value,
        VersionStages=["AWSPENDING"],
    )


def finish(secret, version):
    """Makes the staged value the current one; the one before it stays reachable as AWSPREVIOUS."""
    stages = CLIENT.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((name for name, labels in stages.items() if "AWSCURRENT" in labels), None)
    arguments = {"RemoveFromVersionId": current} if current else {}
    CLIENT.update_secret_version_stage(
        SecretId=secret,
        VersionStage="AWSCURRENT",
        MoveToVersionId=version,
        **arguments,
    )


def made_up(length):
    """A new random value of letters and digits."""
    answer = CLIENT.get_random_password(PasswordLength=length, ExcludePunctuation=True)
    return answer["RandomPassword"]
