#!/usr/bin/env bash
# << header >>
# Sets up an Ubuntu 22.04 machine of the auto-scaling group: the application from Git, under systemd behind Nginx.
# The same text on every machine: addresses and secrets are asked for by the machine's role. May be run again.
set -euo pipefail
exec > >(tee -a /var/log/user-data.log) 2>&1

readonly region=<< region >>
readonly source=<< source_folder >>
export DEBIAN_FRONTEND=noninteractive HOME=/root AWS_DEFAULT_REGION="$region"

log() { printf '%s %s\n' "$(date --utc +%FT%TZ)" "$*"; }

# Networks and mirrors fail for a moment; what fails five times is broken.
retry() {
  local attempt
  for attempt in 1 2 3 4 5; do
    "$@" && return
    log "attempt $attempt failed: $*"
    sleep "$((attempt * 5))"
  done
  return 1
}

# Tells the auto-scaling group whether this machine may serve; one that may not is replaced.
answer() {
  aws autoscaling complete-lifecycle-action --lifecycle-action-result "$1" \
    --lifecycle-hook-name << hook >> --auto-scaling-group-name << group >> \
    --instance-id "$(cat /var/lib/cloud/data/instance-id)" || log "no lifecycle hook waits for an answer"
}
trap 'log "failed in line $LINENO"; answer ABANDON' ERR

# Writes standard input to a file: put MODE PATH.
put() {
  mkdir -p "$(dirname "$2")"
  cat >"$2.new"
  chmod "$1" "$2.new"
  mv "$2.new" "$2"
}

[[ $(id -u) -eq 0 ]] || { log "only root can set up a machine"; exit 1; }
command -v apt-get >/dev/null || { log "this is no Ubuntu: choose an image of Ubuntu 22.04"; answer ABANDON; exit 1; }

log "packages"
retry apt-get update --quiet
retry apt-get install --quiet --yes --no-install-recommends \
  << packages >>

log "user and folders"
id << user >> >/dev/null 2>&1 || useradd --system --user-group --home-dir << state >> --shell /usr/sbin/nologin << user >>
install -d -m 0755 << root >>
install -d -m 0750 -o << user >> -g adm /var/log/<< project >>
install -d -m 0750 -o << user >> -g << user >> << state >>

log "source"
# The commit of the release; before the first one, the newest of the branch.
revision=$(aws ssm get-parameter --name << revision >> --query Parameter.Value --output text 2>/dev/null) ||
  revision=<< branch >>
git init --quiet "$source"
git -C "$source" config remote.origin.url << git >>
retry git -C "$source" fetch --quiet --depth 1 origin "$revision"
git -C "$source" reset --quiet --hard FETCH_HEAD
log "revision $(git -C "$source" rev-parse HEAD)"
<% for venv in venvs %>

log "Python packages of << venv.name >>"
[[ -x << venv.path >>/bin/pip ]] || python3 -m venv << venv.path >>
retry << venv.path >>/bin/pip install --quiet --disable-pip-version-check --requirement << venv.folder >>/requirements.txt
<% endfor %>

log "configuration"
<% for file in files %>
put << file.mode >> << file.path >> << file.begin >>
<< file.text >><< file.end >>
<% endfor %>

log "variables and secrets"
systemctl daemon-reload
retry systemctl restart << project >>-environment.service
<% for static in statics %>

log "static files of << static.service >>"
# The service writes here what it is sent, and Nginx reads it.
install -d -m 2755 -o << user >> -g www-data << static.folders >>
(
  cd << static.folder >>
  set -a
  # shellcheck source=/dev/null
  . << static.variables >>
  set +a
  runuser --preserve-environment --user << user >> -- << static.python >> manage.py collectstatic --noinput --verbosity 0
)
<% endfor %>

log "services"
systemctl enable --quiet << project >>.target << project >>-rotation.timer
<% for unit in restarted %>
systemctl restart << unit >>
<% endfor %>
systemctl start << project >>.target << project >>-rotation.timer
nginx -t -q
systemctl enable --quiet nginx.service
systemctl restart nginx.service

# The machine serves without them too.
log "agents"
agents() {
  snap list amazon-ssm-agent >/dev/null 2>&1 || retry snap install amazon-ssm-agent --classic
  snap start --enable amazon-ssm-agent
  if ! command -v amazon-cloudwatch-agent-ctl >/dev/null; then
    retry curl --fail --silent --show-error --location --output /tmp/agent.deb \
      "https://amazoncloudwatch-agent-$region.s3.$region.amazonaws.com/ubuntu/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb" &&
      dpkg --install /tmp/agent.deb
  fi
  amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/<< project >>/cloudwatch.json
}
agents || log "logs are not shipped"

log "health"
healthy=no
for _ in {1..<< health.attempts >>}; do
  if curl --fail --silent --output /dev/null --max-time << health.timeout >> << health.path >>; then
    healthy=yes
    break
  fi
  sleep 2
done
if [[ $healthy == no ]]; then
  log "the health check does not answer with 200"
  systemctl --no-pager --lines 20 status '<< project >>-*' || true
  answer ABANDON
  exit 1
fi
answer CONTINUE
log "ready"
