#!/usr/bin/env python3
"""Deploys config/preclone.cfn.yaml by moto, as far as moto covers it, and lets `preclone check` look at the result.

usage: deploy_setup.py TEMPLATE IAM_POLICY PRECLONE

moto makes queues, rule, role, instance profile and host, and knows nothing of ECR's three types: of those the properties are
read from the template as it resolves them.
"""
import ast
import base64
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
from moto.server import ThreadedMotoServer

logging.disable(logging.CRITICAL)

template, policy, preclone = sys.argv[1:]
region, account = "us-east-1", "123456789012"
server = ThreadedMotoServer(port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"
surroundings = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": endpoint}
os.environ.update(surroundings)

formation, ec2, iam = boto3.client("cloudformation"), boto3.client("ec2"), boto3.client("iam")
text = pathlib.Path(template).read_text()
given = {
    "DockerHubSecretArn": f"arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/hub-AbCdEf",
    "SubnetId": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
    "PackageUrl": "https://example.org/preclone.rpm",
}


def deploy(name, parameters):
    formation.create_stack(
        StackName=name, TemplateBody=text, Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


outputs = deploy("preclone", given)

# The role may do what iam-policy.json says, on the same resources.
held = iam.get_role_policy(RoleName="preclone", PolicyName="preclone")["PolicyDocument"]
# moto keeps a template's document as Python writes it.
held = ast.literal_eval(held) if isinstance(held, str) else held
shipped = json.loads(pathlib.Path(policy).read_text().replace("REGION", region).replace("ACCOUNT", account))


def plain(statement):
    def listed(value):
        return sorted(value if isinstance(value, list) else [value])
    return statement["Sid"], statement["Effect"], listed(statement["Action"]), listed(statement["Resource"]), statement.get("Condition")


assert [plain(s) for s in held["Statement"]] == [plain(s) for s in shipped["Statement"]], held

# The host's first words are a whole configuration, and so is what the stack tells.
instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]
script = base64.b64decode(ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")["UserData"]["Value"]).decode()
configuration = json.loads(outputs["Configuration"])
assert json.loads(script.split("<<'CONFIG'\n")[1].split("CONFIG\n")[0]) == configuration, script
assert given["PackageUrl"] in script

with tempfile.TemporaryDirectory() as folder:
    configuration["record"] = {"path": f"{folder}/record.sqlite"}
    file = pathlib.Path(folder) / "config.json"
    file.write_text(json.dumps(configuration))
    told = subprocess.run([preclone, "check", "--config", str(file)], capture_output=True, text=True,
                          env={**surroundings, "HOME": folder, "PATH": os.environ["PATH"]})
# moto knows no HealthOmics: who we are is seen, and that it could not be told is said.
assert f"account {account}, region {region}" in told.stdout, told.stdout
assert told.stdout.startswith("whether preclone can work could not be told: HealthOmics"), told.stdout
assert told.returncode == 75, told.returncode
server.stop()
