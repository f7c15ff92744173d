# The four stages, the edge, the command line and the demo's GitLab stand-in: one image. Its last stage holds runtime libraries only.
FROM debian:12-slim AS tools
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        gcc g++ make git pkg-config librdkafka-dev libavro-dev libcurl4-openssl-dev libmicrohttpd-dev libuv1-dev \
        libsqlite3-dev libssl-dev libconfig-dev libxxhash-dev zlib1g-dev librocksdb-dev libsimdjson-dev libmimalloc-dev \
        libpcre2-dev libutf8proc-dev libcmark-gfm-dev libcmark-gfm-extensions-dev libkainjow-mustache-dev libcctz-dev libcsv-dev \
    && rm -rf /var/lib/apt/lists/*

# What git describe says of the tree, unless the build is given a version. The tree is mounted, not copied: this stage's one file
# is all that the next one depends on.
FROM tools AS version
ARG VERSION=
RUN --mount=type=bind,target=/src \
    echo "${VERSION:-$(git -c safe.directory=/src -C /src describe --always --dirty 2>/dev/null || echo unknown)}" >/version

FROM tools AS build
WORKDIR /src
COPY Makefile ./
COPY common common
COPY schemas schemas
COPY stages stages
COPY cli cli
COPY tests/gitlab tests/gitlab
COPY tests/fixtures tests/fixtures
RUN make -j"$(nproc)" VERSION=unknown all
# Another version compiles one file and links.
COPY --from=version /version /version
RUN make -j"$(nproc)" VERSION="$(cat /version)" all && strip build/release/bin/*

FROM debian:12-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        ca-certificates librdkafka1 libavro23 libcurl4 libmicrohttpd12 libuv1 libsqlite3-0 libssl3 libconfig9 \
        libxxhash0 zlib1g librocksdb7.8 libsimdjson14 libmimalloc2.0 libpcre2-8-0 libutf8proc2 libcmark-gfm0.29.0.gfm.6 libcmark-gfm-extensions0.29.0.gfm.6 libcctz2 libcsv3 tzdata haproxy \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/wellhead wellhead \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/wellhead /var/lib/wellhead/secrets \
        /var/lib/wellhead/control /var/lib/wellhead/api /var/lib/wellhead/store
COPY --from=build /src/build/release/bin/ /usr/local/bin/
COPY scripts/compose/ edge/wellhead-edge /usr/local/bin/
COPY edge/haproxy.cfg edge/hold.lua /usr/local/share/wellhead/edge/
RUN ! ldd /usr/local/bin/wellhead-* /usr/local/bin/wellhead 2>&1 | grep 'not found' && wellhead-edge --check
USER 10001:10001
WORKDIR /var/lib/wellhead
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="wellhead" org.opencontainers.image.licenses="Apache-2.0"
CMD ["wellhead", "help"]
