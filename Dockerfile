# mcpctl for CI. The base must have Python 3.11 or newer with pip, and a shell:
#   docker build -t mcpctl --build-arg BASE=registry.example.com/python:3.13-slim .
# Wheels in dist/ are taken before those of the package index: with all of them and PIP_NO_INDEX=1 no network is needed.
ARG BASE=python:3.13-slim
FROM ${BASE}
# [mcp] adds the SDK with which 'apply' asks servers.
ARG EXTRAS=""
ARG PIP_NO_INDEX=""
# 'diff --base' needs git.
RUN if ! command -v git && command -v apt-get; then \
      apt-get update && apt-get install --yes --no-install-recommends git ca-certificates \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY pyproject.toml hatch_build.py README.md LICENSE dis[t] /src/
COPY renderer /src/renderer
COPY templates /src/templates
COPY schemas /src/schemas
RUN python3 -m pip install --no-cache-dir --find-links=/src "/src${EXTRAS}" && rm -rf /src
# A repository that is mounted belongs to whoever runs CI, and git reads none of another user.
ENV GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=* HOME=/tmp
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["mcpctl"]
CMD ["help"]
