# Tillmesh in a container. Build the one file first: npm ci && npm run build && docker build -t tillmesh .
# Peers outside the container are named with TILLMESH_PEERS; publish both ports, or use the host's network.
ARG BASE=node:26-bookworm-slim
FROM ${BASE}

COPY --chmod=755 dist/tillmesh.mjs /usr/local/bin/tillmesh.mjs
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/tillmesh

USER 10001:10001
ENV TILLMESH_DATA=/var/lib/tillmesh
VOLUME /var/lib/tillmesh
EXPOSE 3030 3031
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TILLMESH_PORT || process.env.PORT || 3030}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tillmesh.mjs"]
