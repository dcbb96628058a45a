# << header >>
#
# The program is linked statically and stands alone in the image: there is no shell, no package manager and no library
# that could be attacked or has to be updated.

FROM << base >> AS builder
WORKDIR /src
<% if packages %>
<< packages >>
<% endif %>
<% if args %>
<< args >>
<% endif %>
<% if health %>
# Asks for the health: in the image there is no shell and no curl that could.
<< health >>

<% endif %>
# Modules before the source: this layer is made again only when they change.
COPY go.* ./
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked \
    --mount=type=cache,target=/root/.cache/go-build,sharing=locked \
    mkdir -p /out/bin \
    && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/bin/ ./...<< keep >>
<< folders >>

FROM scratch
WORKDIR /app
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
<% if health %>
COPY --from=builder /out/healthcheck << health_program >>
<% endif %>
<% if has_folders %>
# A new volume takes over the owner of the folder that it covers.
COPY --from=builder --chown=1000:1000 /folders/ /
<% endif %>
COPY --from=builder /out/bin/ /app/
<< tail >>
