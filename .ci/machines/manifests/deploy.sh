#!/bin/sh
# As small as the script of the target kubernetes can be.
set -eu
cd "$(dirname "$0")"
if [ "${1:-}" = setup ]; then
    exec kubectl apply --filename 00-namespace.yaml
fi
kubectl apply --filename 50-deployment.yaml
