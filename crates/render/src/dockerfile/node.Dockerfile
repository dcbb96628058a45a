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
RUN << build >> \
    && npm prune --omit=dev --no-audit --no-fund

FROM << base >>
<% if runtime_packages %>
<< runtime_packages >>
<% endif %>
# Nothing that installs or builds is left beside the program.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
<% if folders %>
# A new volume takes over the owner of the folder that it covers.
RUN install --directory --owner=1000 --group=1000 << folders >>
<% endif %>
COPY --from=builder /app /app
ENV NODE_ENV=production
<< tail >>
