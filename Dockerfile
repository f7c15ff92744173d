# The four stages, the command line and the demo's GitLab stand-in, one image. The run stage holds
# runtime libraries only.
FROM debian:12-slim AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        gcc g++ make git pkg-config librdkafka-dev libcurl4-openssl-dev libmicrohttpd-dev libuv1-dev \
        libsqlite3-dev libssl-dev libconfig-dev libxxhash-dev librocksdb-dev libsimdjson-dev libmimalloc-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY common common
COPY schemas schemas
COPY stages stages
COPY cli cli
COPY tests/gitlab tests/gitlab
COPY tests/fixtures tests/fixtures
ARG VERSION=container
RUN make -j"$(nproc)" VERSION="$VERSION" all && strip build/release/bin/*

FROM debian:12-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        ca-certificates librdkafka1 libcurl4 libmicrohttpd12 libuv1 libsqlite3-0 libssl3 libconfig9 \
        libxxhash0 librocksdb7.8 libsimdjson14 libmimalloc2.0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/wellhead wellhead \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/wellhead /var/lib/wellhead/secrets \
        /var/lib/wellhead/control /var/lib/wellhead/api /var/lib/wellhead/store
COPY --from=build /src/build/release/bin/ /usr/local/bin/
COPY scripts/compose/ /usr/local/bin/
RUN ! ldd /usr/local/bin/wellhead-* /usr/local/bin/wellhead 2>&1 | grep 'not found'
USER 10001:10001
WORKDIR /var/lib/wellhead
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="wellhead" org.opencontainers.image.licenses="Apache-2.0"
CMD ["wellhead", "help"]
