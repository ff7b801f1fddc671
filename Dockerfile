# syntax=docker/dockerfile:1
# One image with both programs; the command says which one runs.
#
# The base image is named by its version and not by its digest: a digest can only be
# looked up in the registry. Whoever needs builds that repeat to the byte adds
# @sha256:… after the tag below, from `docker buildx imagetools inspect`.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /build

# The dependencies are a layer of their own: it is made of the manifests alone, and of
# members with nothing in them, so a change of the sources does not build it anew.
#
# There is no cache mount. One is shared by all checkouts on a builder, and cargo decides
# by times of files what is up to date in it: the older sources of a rollback were not
# built, and the image held another checkout's code. A layer belongs to the contents
# that it was made of. What was built of the empty members is removed, so that the next
# build finds nothing of them to take for the sources', whatever the times say.
COPY Cargo.toml Cargo.lock ./
COPY api/Cargo.toml api/
COPY shared/Cargo.toml shared/
COPY worker/Cargo.toml worker/
# Not part of the programs, but a member without which the workspace cannot be read.
COPY tests/Cargo.toml tests/
RUN for member in api shared tests worker; do \
        mkdir "$member/src"; \
        touch "$member/src/lib.rs"; \
    done \
    && for program in api worker; do echo 'fn main() {}' > "$program/src/main.rs"; done \
    && cargo build --release --locked --bin api --bin worker \
    && cargo clean --release --locked -p hookme-api -p hookme-shared -p hookme-worker \
    && rm -r api/src shared/src worker/src

COPY shared shared
COPY api api
COPY worker worker
RUN cargo build --release --locked --offline --bin api --bin worker

# All that the image is made of: the programs; the libraries that they are linked with,
# which is glibc and libgcc_s; the certificates of the authorities that the worker trusts
# (rustls reads the system's list); and the order in which names are looked up, which is
# not left to glibc's default: host.docker.internal is not in DNS.
RUN install -D --target-directory=/image/usr/local/bin target/release/api target/release/worker \
    && ldd target/release/api target/release/worker | grep -o '/[^ ]*\.so[^ ]*' | sort -u \
        | xargs cp --dereference --parents --target-directory=/image \
    && install -D --mode=644 --target-directory=/image/etc/ssl/certs \
        /etc/ssl/certs/ca-certificates.crt \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf

# Nothing but that, and so neither a shell nor a package manager: a quarter of the size of
# debian:bookworm-slim with the programs. distroless/cc would do too, but is larger and a
# second source of images to trust. The price: glibc and the certificates are those of the
# image above, so that their mends come with a build on a newer one (`build --pull`).
FROM scratch
LABEL org.opencontainers.image.title="Hookme" \
      org.opencontainers.image.description="Reports of GitHub repositories to webhooks, and feedback on commits" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /image/ /
ENV PATH=/usr/local/bin
USER 65532:65532
CMD ["api"]
