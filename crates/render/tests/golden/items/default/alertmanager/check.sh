#!/bin/sh
# Made by wharf from wharf.yaml (items). Change that file and render again.
#
# The configuration is right, and alerts reach whom they should.
set -eu
cd "$(dirname "$0")"

amtool check-config alertmanager.yml
amtool config routes test --config.file=alertmanager.yml --verify.receivers=slack alertname=Any severity=critical
amtool config routes test --config.file=alertmanager.yml --verify.receivers=slack alertname=Any severity=warning
amtool config routes test --config.file=alertmanager.yml --verify.receivers=nobody alertname=Any severity=info
