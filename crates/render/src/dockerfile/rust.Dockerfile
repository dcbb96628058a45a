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
# Debug information would only make the image larger; everything else is as in the release profile of Cargo.toml.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    RUSTFLAGS="-C target-feature=+crt-static"
<% if health %>

# Asks for the health: in the image there is no shell and no curl that could.
<< health >>
<% endif %>

# The registry and the compiled dependencies stay in caches of the builder, so that a change of the program compiles the
# program alone. `--target` keeps the flags away from build scripts and macros, which run here.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/usr/local/cargo/git,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo install --path .<< program >> --locked --no-track --root /out --target "$(uname -m)-unknown-linux-gnu"<< keep >>
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
