# syntax=docker/dockerfile:1

FROM rust:1.95.0-slim-trixie AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --package countersign --bin countersign && \
    cp target/release/countersign /countersign

# The C library of the same Debian, certificates of the public authorities, and nothing else: no shell.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /countersign /countersign
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/countersign"]
CMD ["run"]
