# syntax=docker/dockerfile:1
# One image with both programs; the command says which one runs.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY shared shared
COPY api api
COPY worker worker
# A member of the workspace, without which its manifest cannot be read.
COPY tests tests
# A cache mount is not part of the image, so the programs are copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin api --bin worker \
    && install -D --target-directory=/programs target/release/api target/release/worker

FROM debian:bookworm-slim
# The worker trusts the system's certificates.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /programs/ /usr/local/bin/
USER 65532:65532
CMD ["api"]
