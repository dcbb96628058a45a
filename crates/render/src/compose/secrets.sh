#!/bin/sh
# << header >>
#
# Makes the files of ./secrets that docker-compose.prod.yml reads. What is there already stays as it is, so this may run
# before every start. Secrets are letters and digits only: some become part of an address.
set -eu
cd "$(dirname "$0")"

# The folder keeps other users of this server out; within it every container's user may read its own file.
mkdir -p secrets
chmod 0700 secrets
<% if random %>

# random NAME LENGTH
random() {
    if [ ! -s "secrets/$1" ]; then
        LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$2" >"secrets/$1"
        echo "made secrets/$1"
    fi
    chmod 0444 "secrets/$1"
}

<% for secret in random %>
random << secret.name >> << secret.length >>
<% endfor %>
<% endif %>
<% if given %>

missing=0
# given NAME WHAT
given() {
    if [ -s "secrets/$1" ]; then
        chmod 0444 "secrets/$1"
    else
        echo "secrets/$1 is missing: write it. $2" >&2
        missing=1
    fi
}

<% for secret in given %>
given << secret.name >> << secret.what >>
<% endfor %>
exit "$missing"
<% endif %>
