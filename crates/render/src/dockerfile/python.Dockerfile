# << header >>

FROM << base >> AS builder
WORKDIR /app
<% if packages %>
<< packages >>
<% endif %>
<% if args %>
<< args >>
<% endif %>
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1
# Dependencies before the source: this layer is made again only when they change. What installs them stays behind.
COPY requirements*.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/venv \
    && pip install --disable-pip-version-check --requirement requirements.txt \
    && pip uninstall --yes pip
COPY . .
<% if build %>
RUN << build >>
<% endif %>
<% if collect %>
# Settings that are read while files are collected; none of these values is used by anything that runs.
RUN << collect >>
<% endif %>

FROM << base >>
<% if runtime_packages %>
<< runtime_packages >>
<% endif %>
# The program runs in its virtual environment; nothing that installs or builds is left beside it.
RUN pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && groupadd --gid 1000 app \
    && useradd --uid 1000 --gid app --home-dir /app --no-create-home --shell /usr/sbin/nologin app
WORKDIR /app
<% if folders %>
# A new volume takes over the owner of the folder that it covers.
RUN install --directory --owner=1000 --group=1000 << folders >>
<% endif %>
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
<< tail >>
