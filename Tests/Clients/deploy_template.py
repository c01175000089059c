#!/usr/bin/env python3
"""Deploys a CloudFormation template by moto, as far as moto covers it.

usage: deploy_template.py FILE

moto reads parameters, intrinsic functions and resources; of ECR it makes repositories alone. The stack must become complete, and
hold every resource of the template.
"""
import json
import os
import sys
import warnings

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
import boto3  # noqa: E402
from moto import mock_aws  # noqa: E402

text = open(sys.argv[1]).read()
template = json.loads(text)
warnings.simplefilter("ignore")
with mock_aws():
    client = boto3.client("cloudformation")
    client.validate_template(TemplateBody=text)
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/x-AbCdEf"
    parameters = [{"ParameterKey": key, "ParameterValue": secret} for key in template.get("Parameters", {})]
    client.create_stack(StackName="rules", TemplateBody=text, Parameters=parameters)
    stack = client.describe_stacks(StackName="rules")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    held = client.get_template(StackName="rules")["TemplateBody"]
    held = json.loads(held) if isinstance(held, str) else held
    assert set(held["Resources"]) == set(template["Resources"]), held
