#!/bin/sh
# Made by wharf from wharf.yaml (chat-app, environment staging). Change that file and render again.
#
# Makes the files of ./secrets that docker-compose.prod.yml reads. What is there already stays as it is, so this may run
# before every start. Secrets are letters and digits only: some become part of an address.
set -eu
cd "$(dirname "$0")"

# The folder keeps other users of this server out; within it every container's user may read its own file.
mkdir -p secrets
chmod 0700 secrets

# random NAME LENGTH
random() {
    if [ ! -s "secrets/$1" ]; then
        LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$2" >"secrets/$1"
        echo "made secrets/$1"
    fi
    chmod 0444 "secrets/$1"
}

random cache-password 32
random db-password 32
random jwt 48
