# The images of both daemons, for who builds with a container daemon; `just images` makes the same without one, by the
# same script. `docker build --target control-plane --tag wakegate/control-plane .`, and the same for scaler.
FROM docker.io/library/rust:1.95-bookworm AS build
RUN rustup target add wasm32-unknown-unknown \
    && apt-get update && apt-get install --yes --no-install-recommends binaryen python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /wakegate
COPY . .
RUN WAKEGATE_IMAGE_ROOTS=1 scripts/images control-plane scaler

FROM scratch AS control-plane
LABEL org.opencontainers.image.title="wakegate-control-plane" \
    org.opencontainers.image.description="Wakegate's control-plane" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /wakegate/target/images/roots/control-plane/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/wakegate-control-plane"]

FROM scratch AS scaler
LABEL org.opencontainers.image.title="wakegate-scaler" \
    org.opencontainers.image.description="Wakegate's scaler" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /wakegate/target/images/roots/scaler/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/wakegate-scaler"]
