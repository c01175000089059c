"""Asks the sandbox's demo account with boto3, the way AWS's own clients ask AWS.

Its addresses and credentials are in the environment; DEMO is the demo world as JSON. Exits 0 when every answer is one that
boto3 parses and that says what the demo world says.
"""
import base64
import hashlib
import io
import json
import os
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config
import botocore.exceptions

demo = json.loads(os.environ["DEMO"])
addresses = demo["addresses"]
plain = botocore.config.Config(retries={"max_attempts": 1}, inject_host_prefix=False)


def client(name, **more):
    return boto3.client(name, endpoint_url=addresses["aws"], region_name=addresses["region"], config=plain, **more)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"{call.__name__} was not refused with {code}")


# HealthOmics
omics = client("omics")
runs = [run for page in omics.get_paginator("list_runs").paginate(status="PENDING", PaginationConfig={"PageSize": 1})
        for run in page["items"]]
assert {run["id"] for run in runs} == set(demo["runs"]), runs
assert runs[0]["creationTime"].year >= 2026
run = omics.get_run(id=demo["runs"][0])
assert run["workflowId"] == demo["workflows"][0]["id"] and run["uuid"], run
assert omics.list_runs(status="FAILED")["items"] == []
assert omics.list_run_tasks(id=demo["runs"][0])["items"] == []
listed = [w for page in omics.get_paginator("list_workflows").paginate(PaginationConfig={"PageSize": 2})
          for w in page["items"]]
assert {w["id"] for w in listed} == {w["id"] for w in demo["workflows"]}
for known in demo["workflows"]:
    workflow = omics.get_workflow(id=known["id"], export=["DEFINITION"])
    assert workflow["engine"] == known["engine"]
    prefixes = [m["ecrRepositoryPrefix"] for m in workflow["containerRegistryMap"]["registryMappings"]]
    assert prefixes == ["docker-hub", "quay", "wave-seqera"], prefixes
    with urllib.request.urlopen(workflow["definition"]) as answer:
        archive = answer.read()
    assert workflow["digest"] == "sha256:" + hashlib.sha256(archive).hexdigest()
    files = zipfile.ZipFile(io.BytesIO(archive))
    assert files.testzip() is None and workflow["main"] in files.namelist()
    signed = urllib.request.Request(workflow["definition"], headers={"Authorization": "AWS4-HMAC-SHA256 x"})
    try:
        urllib.request.urlopen(signed)
        raise AssertionError("the presigned address took an Authorization header")
    except urllib.error.HTTPError as error:
        assert error.code == 400, error.code

archive = io.BytesIO()
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
    files.writestr("main.wdl", "version 1.0\nworkflow w {}\n")
made = omics.create_workflow(name="made", engine="WDL", main="main.wdl", definitionZip=archive.getvalue(),
                             requestId="made-1")
assert omics.create_workflow(name="made", engine="WDL", definitionZip=archive.getvalue(),
                             requestId="made-1")["id"] == made["id"]
omics.create_workflow_version(workflowId=made["id"], versionName="v2", definitionZip=archive.getvalue(),
                              requestId="made-2")
versions = omics.list_workflow_versions(workflowId=made["id"])["items"]
assert [v["versionName"] for v in versions] == ["v2"]
version = omics.get_workflow_version(workflowId=made["id"], versionName="v2", export=["DEFINITION"])
assert urllib.request.urlopen(version["definition"]).read() == archive.getvalue()
started = omics.start_run(workflowId=made["id"], workflowVersionName="v2", roleArn="arn:aws:iam::123456789012:role/r",
                          outputUri="s3://b/p", requestId="run-1", parameters={"a": {"b": [1, 2.5, True]}})
assert started["status"] == "PENDING"
assert omics.get_run(id=started["id"])["parameters"] == {"a": {"b": [1, 2.5, True]}}
batch = omics.start_run_batch(
    requestId="batch-1", batchName="b",
    defaultRunSetting={"workflowId": made["id"], "roleArn": "arn:aws:iam::123456789012:role/r",
                       "outputUri": "s3://b/p"},
    batchRunSettings={"inlineSettings": [{"runSettingId": f"s{n}", "name": f"n{n}"} for n in range(25)]})
assert omics.get_batch(batchId=batch["id"])["totalRuns"] == 25
of_batch = [r for page in omics.get_paginator("list_runs").paginate(batchId=batch["id"]) for r in page["items"]]
assert len(of_batch) == 25 and {r["batchId"] for r in of_batch} == {batch["id"]}
assert len(omics.list_runs_in_batch(batchId=batch["id"], maxItems=25)["runs"]) >= 1
omics.cancel_run(id=started["id"])
assert omics.get_run(id=started["id"])["status"] == "CANCELLED"
refused("ResourceNotFoundException", omics.get_run, id="9")
refused("ResourceNotFoundException", omics.get_workflow, id="9")

# ECR
ecr = client("ecr")
rules = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
assert [(r["ecrRepositoryPrefix"], r["upstreamRegistryUrl"], r["upstreamRegistry"]) for r in rules] == [
    ("quay", "quay.io", "quay")]
assert rules[0]["createdAt"].year >= 2026
token = ecr.get_authorization_token()["authorizationData"][0]
assert base64.b64decode(token["authorizationToken"]).startswith(b"AWS:") and token["proxyEndpoint"] == addresses["ecr"]
wanted = next(e for e in demo["expectations"] if e["route"] == "pullThrough" and e["engines"] == ["WDL"])
name, tag = wanted["destination"].rsplit(":", 1)
refused("RepositoryNotFoundException", ecr.describe_images, repositoryName=name)
by_digest = [{"imageDigest": wanted["upstreamDigest"]}]
refused("RepositoryNotFoundException", ecr.batch_get_image, repositoryName=name, imageIds=by_digest)
got = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}, {"imageTag": "none"}])
assert got["images"][0]["imageId"] == {"imageDigest": wanted["upstreamDigest"], "imageTag": tag}, got
assert got["failures"][0]["failureCode"] == "ImageNotFound", got
assert ecr.batch_get_image(repositoryName=name, imageIds=by_digest)["images"]
detail = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"][0]
assert detail["imageDigest"] == wanted["upstreamDigest"] and detail["imageStatus"] == "ACTIVE", detail
assert "omics.amazonaws.com" in ecr.get_repository_policy(repositoryName=name)["policyText"]
manifest = json.loads(got["images"][0]["imageManifest"])
digests = [manifest["config"]["digest"]] + [layer["digest"] for layer in manifest["layers"]]
states = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=digests)["layers"]
assert [s["layerAvailability"] for s in states] == ["UNAVAILABLE"] * len(digests), states
states = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=digests)["layers"]
assert [s["layerAvailability"] for s in states] == ["AVAILABLE"] * len(digests), states
address = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digests[0])["downloadUrl"]
config = urllib.request.urlopen(address).read()
assert "sha256:" + hashlib.sha256(config).hexdigest() == digests[0]
refused("InvalidParameterException", ecr.batch_get_image, repositoryName=name,
        imageIds=[{"imageTag": str(n)} for n in range(101)])

# A push through the API alone.
ecr.create_repository(repositoryName="pushed/by-parts", tags=[{"Key": "k", "Value": "v"}])
refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="pushed/by-parts")
refused("InvalidParameterException", ecr.create_repository, repositoryName="Upper")
refused("RepositoryPolicyNotFoundException", ecr.get_repository_policy, repositoryName="pushed/by-parts")
refused("LayersNotFoundException", ecr.put_image, repositoryName="pushed/by-parts",
        imageManifest=got["images"][0]["imageManifest"], imageTag="1")
layer = os.urandom(7 << 20)
for content in (config, layer):
    upload = ecr.initiate_layer_upload(repositoryName="pushed/by-parts")
    for first in range(0, len(content), 5 << 20):
        part = content[first:first + (5 << 20)]
        ecr.upload_layer_part(repositoryName="pushed/by-parts", uploadId=upload["uploadId"], partFirstByte=first,
                              partLastByte=first + len(part) - 1, layerPartBlob=part)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    ecr.complete_layer_upload(repositoryName="pushed/by-parts", uploadId=upload["uploadId"], layerDigests=[digest])
upload = ecr.initiate_layer_upload(repositoryName="pushed/by-parts")
error = refused("InvalidLayerPartException", ecr.upload_layer_part, repositoryName="pushed/by-parts",
                uploadId=upload["uploadId"], partFirstByte=5, partLastByte=6, layerPartBlob=b"ab")
assert error.response["lastValidByteReceived"] == -1, error.response
media = "application/vnd.oci.image."
document = json.dumps({
    "schemaVersion": 2, "mediaType": media + "manifest.v1+json",
    "config": {"mediaType": media + "config.v1+json", "digest": digests[0], "size": len(config)},
    "layers": [{"mediaType": media + "layer.v1.tar+gzip", "digest": digest, "size": len(layer)}]})
put = ecr.put_image(repositoryName="pushed/by-parts", imageManifest=document, imageTag="1")["image"]
assert put["imageId"]["imageDigest"] == "sha256:" + hashlib.sha256(document.encode()).hexdigest()
refused("ImageAlreadyExistsException", ecr.put_image, repositoryName="pushed/by-parts", imageManifest=document,
        imageTag="1")
subject = put["imageId"]["imageDigest"]
signature = json.dumps({**json.loads(document), "artifactType": "application/x.signature", "subject": {
    "mediaType": media + "manifest.v1+json", "digest": subject, "size": len(document)}})
signed = ecr.put_image(repositoryName="pushed/by-parts", imageManifest=signature)["image"]["imageId"]["imageDigest"]
found = ecr.list_image_referrers(repositoryName="pushed/by-parts", subjectId={"imageDigest": subject})["referrers"]
assert [(r["digest"], r["artifactType"], r["artifactStatus"]) for r in found] == [
    (signed, "application/x.signature", "ACTIVE")], found
assert ecr.list_image_referrers(repositoryName="pushed/by-parts", subjectId={"imageDigest": subject}, filter={
    "artifactTypes": ["application/x.other"]})["referrers"] == []
assert ecr.batch_delete_image(repositoryName="pushed/by-parts", imageIds=[{"imageDigest": signed}])["imageIds"]
ecr.put_image_tag_mutability(repositoryName="pushed/by-parts", imageTagMutability="IMMUTABLE")
refused("ImageTagAlreadyExistsException", ecr.put_image, repositoryName="pushed/by-parts",
        imageManifest=document + " ", imageTag="1")
ecr.set_repository_policy(repositoryName="pushed/by-parts", policyText=json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}))
refused("InvalidParameterException", ecr.set_repository_policy, repositoryName="pushed/by-parts", policyText="{}")
ecr.delete_repository_policy(repositoryName="pushed/by-parts")
arn = ecr.describe_repositories(repositoryNames=["pushed/by-parts"])["repositories"][0]["repositoryArn"]
assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "k", "Value": "v"}]
ecr.update_image_storage_class(repositoryName="pushed/by-parts", imageId={"imageTag": "1"},
                               targetStorageClass="ARCHIVE")
assert ecr.batch_get_image(repositoryName="pushed/by-parts", imageIds=[{"imageTag": "1"}])["images"] == []
assert ecr.describe_images(repositoryName="pushed/by-parts")["imageDetails"] == []
archived = ecr.describe_images(repositoryName="pushed/by-parts", filter={"imageStatus": "ANY"})["imageDetails"]
assert [image["imageStatus"] for image in archived] == ["ARCHIVED"]
refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName="pushed/by-parts")
ecr.batch_delete_image(repositoryName="pushed/by-parts", imageIds=[{"imageTag": "1"}])
ecr.delete_repository(repositoryName="pushed/by-parts")
assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"][0]["prefix"] == "quay"
assert "quay/*" in ecr.get_registry_policy()["policyText"]

# STS
sts = client("sts")
assert sts.get_caller_identity()["Account"] == addresses["accountID"]
role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="session")
keys = role["Credentials"]
temporary = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
             "aws_session_token": keys["SessionToken"]}
assert client("sts", **temporary).get_caller_identity()["Arn"].endswith(":assumed-role/reader/session")
temporary["aws_session_token"] = "wrong"
refused("UnrecognizedClientException", client("ecr", **temporary).describe_repositories)
wrong = {"aws_access_key_id": addresses["accessKeyID"], "aws_secret_access_key": "wrong"}
refused("SignatureDoesNotMatch", client("sts", **wrong).get_caller_identity)
refused("InvalidSignatureException", client("omics", **wrong).list_runs)

# SQS
sqs = client("sqs")
queue = sqs.get_queue_url(QueueName="healthomics-events")["QueueUrl"]
seen = []
while True:
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10,
                                   MessageSystemAttributeNames=["ApproximateReceiveCount"]).get("Messages")
    if not messages:
        break
    seen += [json.loads(message["Body"]) for message in messages]
    assert messages[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    later = [dict(entry, VisibilityTimeout=60) for entry in entries]
    assert len(sqs.change_message_visibility_batch(QueueUrl=queue, Entries=later)["Successful"]) == len(entries)
    entries.append({"Id": "no", "ReceiptHandle": "no"}) if len(entries) < 10 else None
    done = sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert [f["Id"] for f in done.get("Failed", [])] in ([], ["no"])
pending = [e["detail"]["runId"] for e in seen
           if e["detail-type"] == "Run Status Change" and e["detail"]["status"] == "PENDING"]
assert set(demo["runs"]) <= set(pending)
mine = sqs.create_queue(QueueName="mine", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
sqs.send_message(QueueUrl=mine, MessageBody="hello")
assert sqs.receive_message(QueueUrl=mine, WaitTimeSeconds=2)["Messages"][0]["Body"] == "hello"
attributes = sqs.get_queue_attributes(QueueUrl=mine, AttributeNames=["All"])["Attributes"]
assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1" and attributes["VisibilityTimeout"] == "5"
refused("AWS.SimpleQueueService.NonExistentQueue",
        sqs.receive_message, QueueUrl=mine + "-none")

# Secrets Manager and IAM
secrets = client("secretsmanager")
secrets.create_secret(Name="ecr-pullthroughcache/hub", SecretString='{"username":"u","accessToken":"t"}')
assert json.loads(secrets.get_secret_value(SecretId="ecr-pullthroughcache/hub")["SecretString"])["username"] == "u"
refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="none")
iam = client("iam")
simulated = iam.simulate_principal_policy(PolicySourceArn="arn:aws:iam::123456789012:user/sandbox",
                                          ActionNames=["ecr:PutImage", "ecr:CreateRepository"])
assert [r["EvalDecision"] for r in simulated["EvaluationResults"]] == ["allowed", "allowed"]
print("boto3 is content")
