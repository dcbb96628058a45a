# << header >>

FROM << base >> AS builder
WORKDIR /app
<% if packages %>
<< packages >>
<% endif %>
<% if args %>
<< args >>
<% endif %>
# Dependencies before the source: this layer is made again only when they change.
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --no-audit --no-fund
COPY . .
# Vite writes to `dist`, Create React App to `build`.
RUN << build >> \
    && if [ ! -d dist ]; then mv build dist; fi
# Every path that is no file is one of the application's own. What has a hash in its name never changes.
# The variables are Nginx's.
# hadolint ignore=SC2016
RUN printf '%s\n' \
<% for line in nginx %>
        << line >> \
<% endfor %>
        > /tmp/nginx.conf

FROM << server >>
COPY --from=builder /tmp/nginx.conf /etc/nginx/nginx.conf
COPY --from=builder /app/dist /usr/share/nginx/html
# Its own entry point would change files, which a read-only file system does not let it.
ENTRYPOINT []
<< tail >>
