#!/bin/sh
# << header >>
#
# The configuration is right, and alerts reach whom they should.
set -eu
cd "$(dirname "$0")"

amtool check-config alertmanager.yml
<% for case in cases %>
amtool config routes test --config.file=alertmanager.yml --verify.receivers=<< case.receivers >> << case.labels >>
<% endfor %>
