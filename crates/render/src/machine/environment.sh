#!/usr/bin/env bash
# << header >>
# Writes the variables of each service to << run >>, a folder in memory: no secret is on a disk.
set -euo pipefail
umask 077

<% if aws %>
parameter() {
  aws ssm get-parameter --region << region >> --name "$1" --query Parameter.Value --output text
}

secret() {
  aws secretsmanager get-secret-value --region << region >> --secret-id "$1" --query SecretString --output text
}

<% else %>
# NAME=value lines that only root can read: the secrets, and addresses of stores that are elsewhere.
set -a
# shellcheck source=/dev/null
. "${SECRETS_FILE:-/etc/<< project >>/secrets.env}"
set +a

<% endif %>
<% if encodes %>
# For a URL: a generated password may hold any character.
encode() {
  jq --null-input --raw-output --arg text "$1" '$text | @uri'
}

<% endif %>
<% if escapes %>
# For double quotes of systemd's environment files.
escape() {
  printf '%s' "$1" | sed 's/[\\"$`]/\\&/g'
}

<% endif %>
# write SERVICE UNIT
changed=()
write() {
  local file="<< run >>/$1.env"
  cat >"$file.new"
  if [[ -e $file ]] && ! cmp --silent "$file" "$file.new"; then
    changed+=("$2")
  fi
  mv "$file.new" "$file"
}

mkdir -p << run >>
<< fetched >><< written >>
# Whoever runs with a secret that has been replaced is started anew.
for unit in "${changed[@]}"; do
  systemctl --no-block try-restart "$unit"
done
