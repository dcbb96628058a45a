#!/usr/bin/env bash
# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.
# Sets up an Ubuntu 22.04 machine of the auto-scaling group: the application from Git, under systemd behind Nginx.
# The same text on every machine: addresses and secrets are asked for by the machine's role. May be run again.
set -euo pipefail
exec > >(tee -a /var/log/user-data.log) 2>&1

readonly region=us-east-1
readonly source=/opt/django-app/source
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
    --lifecycle-hook-name production-django-ready --auto-scaling-group-name production-django-asg \
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
  awscli ca-certificates curl git jq libpq5 nginx postgresql-client python3-venv

log "user and folders"
id django-app >/dev/null 2>&1 || useradd --system --user-group --home-dir /var/lib/django-app --shell /usr/sbin/nologin django-app
install -d -m 0755 /opt/django-app
install -d -m 0750 -o django-app -g adm /var/log/django-app
install -d -m 0750 -o django-app -g django-app /var/lib/django-app

log "source"
# The commit of the release; before the first one, the newest of the branch.
revision=$(aws ssm get-parameter --name /django-app/production/revision --query Parameter.Value --output text 2>/dev/null) ||
  revision=main
git init --quiet "$source"
git -C "$source" config remote.origin.url https://github.com/example/django-app.git
retry git -C "$source" fetch --quiet --depth 1 origin "$revision"
git -C "$source" reset --quiet --hard FETCH_HEAD
log "revision $(git -C "$source" rev-parse HEAD)"

log "Python packages of web"
[[ -x /opt/django-app/venv/web/bin/pip ]] || python3 -m venv /opt/django-app/venv/web
retry /opt/django-app/venv/web/bin/pip install --quiet --disable-pip-version-check --requirement /opt/django-app/source/app/requirements.txt

log "configuration"
put 0755 /usr/local/lib/django-app/environment <<'END'
#!/usr/bin/env bash
# Made by wharf.
# Writes the variables of each service to /run/django-app, a folder in memory: no secret is on a disk.
set -euo pipefail
umask 077

parameter() {
  aws ssm get-parameter --region us-east-1 --name "$1" --query Parameter.Value --output text
}

secret() {
  aws secretsmanager get-secret-value --region us-east-1 --secret-id "$1" --query SecretString --output text
}

# For a URL: a generated password may hold any character.
encode() {
  jq --null-input --raw-output --arg text "$1" '$text | @uri'
}

# For double quotes of systemd's environment files.
escape() {
  printf '%s' "$1" | sed 's/[\\"$`]/\\&/g'
}

# write SERVICE UNIT
changed=()
write() {
  local file="/run/django-app/$1.env"
  cat >"$file.new"
  if [[ -e $file ]] && ! cmp --silent "$file" "$file.new"; then
    changed+=("$2")
  fi
  mv "$file.new" "$file"
}

mkdir -p /run/django-app
db_host=$(parameter /DjangoApp/rds_endpoint)
db_password=$(secret "$(parameter /production-django/db/secret)" | jq --raw-output .password)
secret_key=$(secret django-app/production/secret-key)

write web 'django-app-web.service' <<VALUES
DATABASE_URL="postgresql://postgres:$(encode "$db_password")@${db_host}:5432/postgresDB?sslmode=require"
DJANGO_SETTINGS_MODULE="shop.settings"
PORT="8000"
SECRET_KEY="$(escape "$secret_key")"
VALUES

# Whoever runs with a secret that has been replaced is started anew.
for unit in "${changed[@]}"; do
  systemctl --no-block try-restart "$unit"
done
END
put 0755 /usr/local/lib/django-app/alone <<'END'
#!/usr/bin/env bash
# alone VARIABLE COMMAND...: runs a command while no other machine does. The lock is one of the database whose URL is in
# the variable, and ends with this session, however it ends.
set -euo pipefail
url=${!1}
shift
coproc LOCK { psql "$url" --no-psqlrc --quiet --tuples-only --no-align; }
printf 'SELECT pg_advisory_lock(3929945592);\n' >&"${LOCK[1]}"
# The answer comes when the lock is held.
read -r _ <&"${LOCK[0]}"
"$@"
END
put 0644 /etc/systemd/system/django-app-.service.d/sandbox.conf <<'END'
[Service]
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0027
END
put 0644 /etc/systemd/system/django-app-environment.service <<'END'
[Unit]
Description=Variables of the services of django-app
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/django-app/environment
RuntimeDirectory=django-app
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
TimeoutStartSec=2min
END
put 0644 /etc/systemd/system/django-app-rotation.service <<'END'
[Unit]
Description=Services of django-app whose secrets were replaced
Requisite=django-app-environment.service
After=django-app-environment.service

[Service]
Type=oneshot
ExecStart=/usr/local/lib/django-app/environment
ReadWritePaths=/run/django-app
END
put 0644 /etc/systemd/system/django-app-rotation.timer <<'END'
[Unit]
Description=Looks every minute for secrets of django-app that were replaced

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
END
put 0644 /etc/systemd/system/django-app-web-release.service <<'END'
[Unit]
Description=What comes before a release of web of django-app
Requires=django-app-environment.service
After=network.target django-app-environment.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/django-app/alone DATABASE_URL /opt/django-app/venv/web/bin/python manage.py migrate --noinput
TimeoutStartSec=600
User=django-app
Group=django-app
WorkingDirectory=/opt/django-app/source/app
EnvironmentFile=/run/django-app/web.env
Environment=PATH=/opt/django-app/venv/web/bin:/usr/local/bin:/usr/bin:/bin
StandardOutput=append:/var/log/django-app/web.log
StandardError=inherit
CPUQuota=50%
MemoryMax=536870912
StateDirectory=django-app
StateDirectoryMode=0750
ReadWritePaths=-/opt/django-app/source/app/media
ReadWritePaths=-/opt/django-app/source/app/staticfiles
END
put 0644 /etc/systemd/system/django-app-web.service <<'END'
[Unit]
Description=web of django-app
Requires=django-app-environment.service django-app-web-release.service
After=network.target django-app-environment.service django-app-web-release.service
StartLimitIntervalSec=0
PartOf=django-app.target

[Service]
Type=notify
ExecStart=/opt/django-app/venv/web/bin/gunicorn shop.wsgi:application --workers 3
NotifyAccess=main
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=10
User=django-app
Group=django-app
WorkingDirectory=/opt/django-app/source/app
EnvironmentFile=/run/django-app/web.env
Environment=PATH=/opt/django-app/venv/web/bin:/usr/local/bin:/usr/bin:/bin
StandardOutput=append:/var/log/django-app/web.log
StandardError=inherit
CPUQuota=50%
MemoryMax=536870912
StateDirectory=django-app
StateDirectoryMode=0750
ReadWritePaths=-/opt/django-app/source/app/media
ReadWritePaths=-/opt/django-app/source/app/staticfiles
END
put 0644 /etc/systemd/system/django-app.target <<'END'
[Unit]
Description=Everything of django-app
Wants=django-app-web.service

[Install]
WantedBy=multi-user.target
END
put 0644 /etc/nginx/nginx.conf <<'END'
# Made by wharf.
user www-data;
worker_processes auto;
worker_rlimit_nofile 16384;
pid /run/nginx.pid;

events {
  worker_connections 8192;
}

http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  server_tokens off;
  client_header_timeout 15s;
  client_body_timeout 30s;
  gzip on;
  gzip_vary on;
  gzip_proxied any;
  gzip_min_length 1024;
  gzip_types application/javascript application/json image/svg+xml text/css text/plain;

  # The proxies before this one say whom they speak for.
  set_real_ip_from 10.0.1.0/24;
  set_real_ip_from 10.0.2.0/24;
  real_ip_header X-Forwarded-For;
  real_ip_recursive on;

  map $http_upgrade $connection_upgrade {
    default upgrade;
    "" "";
  }
  map $http_x_forwarded_proto $forwarded_proto {
    default $scheme;
    https https;
  }

  # The trace of the caller goes on; without one, the request's id begins it.
  map $http_traceparent $trace_id {
    default $request_id;
    "~^00-(?<caller>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$" $caller;
  }
  map $request_id $own_span {
    "~^(?<span>.{16})" $span;
  }
  map $http_traceparent $traceparent {
    default "00-$request_id-$own_span-01";
    "~^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" $http_traceparent;
  }
  map $trace_id $trace_uuid {
    "~^(?<u1>.{8})(?<u2>.{4})(?<u3>.{4})(?<u4>.{4})(?<u5>.{12})$" "$u1-$u2-$u3-$u4-$u5";
  }

  log_format json escape=json '{"time":"$time_iso8601","level":"info","event":"request_completed",'
    '"trace_id":"$trace_uuid","method":"$request_method","path":"$uri","status_code":$status,'
    '"duration_seconds":$request_time,"bytes":$bytes_sent,"client":"$remote_addr","host":"$host"}';
  access_log /var/log/nginx/access.log json;
  error_log /var/log/nginx/error.log warn;

  # Security headers, where the service sets none of its own.
  map $upstream_http_x_content_type_options $x_content_type_options {
    "" nosniff;
  }
  map $upstream_http_x_frame_options $x_frame_options {
    "" SAMEORIGIN;
  }
  map $upstream_http_referrer_policy $referrer_policy {
    "" strict-origin-when-cross-origin;
  }
  map $forwarded_proto$upstream_http_strict_transport_security $hsts {
    https "max-age=31536000; includeSubDomains";
  }

  upstream web {
    server 127.0.0.1:8000 max_fails=0;
    keepalive 32;
  }

  server {
    listen 80 default_server;
    server_name _;

    client_max_body_size 10485760;
    proxy_hide_header X-Trace-ID;
    add_header X-Trace-ID $trace_uuid always;
    proxy_hide_header X-Request-ID;
    add_header X-Request-ID $request_id always;
    add_header X-Content-Type-Options $x_content_type_options always;
    add_header X-Frame-Options $x_frame_options always;
    add_header Referrer-Policy $referrer_policy always;
    add_header Strict-Transport-Security $hsts always;

    proxy_http_version 1.1;
    proxy_next_upstream off;
    proxy_connect_timeout 5s;
    proxy_read_timeout 300s;
    proxy_set_header Host $host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $forwarded_proto;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Request-ID $request_id;
    proxy_set_header traceparent $traceparent;

    location ^~ /media/ {
      alias /opt/django-app/source/app/media/;
      expires 1d;
    }

    location ^~ /static/ {
      alias /opt/django-app/source/app/staticfiles/;
      expires 1d;
    }

    # For the monitoring, which asks the service itself.
    location = /metrics {
      return 404;
    }

    location / {
      proxy_pass http://web;
    }
  }

  # Nginx's own figures, for its exporter.
  server {
    listen 127.0.0.1:8081;
    access_log off;
    location = /stub_status {
      stub_status;
    }
  }
}
END
put 0644 /etc/logrotate.d/django-app <<'END'
/var/log/django-app/*.log {
  daily
  rotate 7
  maxsize 100M
  compress
  missingok
  notifempty
  copytruncate
}
END
put 0644 /etc/django-app/cloudwatch.json <<'END'
{"logs":{"logs_collected":{"files":{"collect_list":[{"file_path":"/var/log/user-data.log","log_group_name":"/aws/ec2/django-app","log_stream_name":"{instance_id}/user-data"},{"file_path":"/var/log/nginx/access.log","log_group_name":"/aws/ec2/django-app","log_stream_name":"{instance_id}/nginx-access"},{"file_path":"/var/log/nginx/error.log","log_group_name":"/aws/ec2/django-app","log_stream_name":"{instance_id}/nginx-error"},{"file_path":"/var/log/django-app/web.log","log_group_name":"/aws/ec2/django-app","log_stream_name":"{instance_id}/web"}]}}},"metrics":{"append_dimensions":{"AutoScalingGroupName":"${aws:AutoScalingGroupName}"},"metrics_collected":{"disk":{"measurement":["used_percent"],"resources":["/"]},"mem":{"measurement":["used_percent"]}}}}
END

log "variables and secrets"
systemctl daemon-reload
retry systemctl restart django-app-environment.service

log "static files of web"
# The service writes here what it is sent, and Nginx reads it.
install -d -m 2755 -o django-app -g www-data /opt/django-app/source/app/media /opt/django-app/source/app/staticfiles
(
  cd /opt/django-app/source/app
  set -a
  # shellcheck source=/dev/null
  . /run/django-app/web.env
  set +a
  runuser --preserve-environment --user django-app -- /opt/django-app/venv/web/bin/python manage.py collectstatic --noinput --verbosity 0
)

log "services"
systemctl enable --quiet django-app.target django-app-rotation.timer
systemctl restart django-app-web-release.service
systemctl restart django-app-web.service
systemctl start django-app.target django-app-rotation.timer
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
  amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/django-app/cloudwatch.json
}
agents || log "logs are not shipped"

log "health"
healthy=no
for _ in {1..150}; do
  if curl --fail --silent --output /dev/null --max-time 5 http://127.0.0.1/health; then
    healthy=yes
    break
  fi
  sleep 2
done
if [[ $healthy == no ]]; then
  log "the health check does not answer with 200"
  systemctl --no-pager --lines 20 status 'django-app-*' || true
  answer ABANDON
  exit 1
fi
answer CONTINUE
log "ready"
