#!/usr/bin/env bash
# Asks the sandbox's demo account with the AWS CLI; its addresses and credentials are in the environment, AWS is the
# program. RUN and WORKFLOW are ids, REPOSITORY and TAG an image behind the rule for quay.io, DIGEST its digest.
set -euo pipefail

says() {
    local wanted=$1
    shift
    local said
    said=$("$AWS" --output text "$@")
    if [ "$said" != "$wanted" ]; then
        echo "aws $*: '$said', not '$wanted'" >&2
        exit 1
    fi
}

says "$RUN" omics list-runs --status PENDING --query "items[?id=='$RUN'].id"
says "$WORKFLOW" omics get-run --id "$RUN" --query workflowId
says "$WORKFLOW" omics list-workflows --query "items[?id=='$WORKFLOW'].id"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
address=$("$AWS" --output text omics get-workflow --id "$WORKFLOW" --export DEFINITION --query definition)
"$PYTHON" - "$address" "$folder" <<'PYTHON'
import io, sys, urllib.request, zipfile
zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(sys.argv[1]).read())).extractall(sys.argv[2])
PYTHON
grep -q '^version 1.1$' "$folder/main.wdl"
says "quay quay.io" ecr describe-pull-through-cache-rules \
    --query "join(' ', pullThroughCacheRules[0].[ecrRepositoryPrefix, upstreamRegistryUrl])"
says "$DIGEST" ecr batch-get-image --repository-name "$REPOSITORY" --image-ids "imageTag=$TAG" \
    --query "images[0].imageId.imageDigest"
says "$DIGEST" ecr describe-images --repository-name "$REPOSITORY" --query "imageDetails[?imageTags[0]=='$TAG'].imageDigest"
says "AWS" ecr get-authorization-token --query "'AWS'"
"$AWS" ecr get-login-password | grep -qE '^[0-9a-f]{64}$'
says "123456789012" sts get-caller-identity --query Account
echo "the AWS CLI is content"
