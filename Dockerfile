# Two images from one build: `--target shopmesh` (all services, one program) and `--target operator`.
# Both hold one static program, a CA bundle and a user; no shell, no package manager.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
ARG PROFILE=dist
# The target must be named: with static linking, procedural macros would otherwise be built for the wrong one.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
    && export RUSTFLAGS="-C target-feature=+crt-static" \
    && cargo build --locked --profile "$PROFILE" --target "$target" --bin shopmesh --bin shopmesh-operator \
    && mkdir -p /out/etc/ssl/certs /out/tmp \
    && cp "target/$target/$PROFILE/shopmesh" "target/$target/$PROFILE/shopmesh-operator" / \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && printf 'shopmesh:x:65532:65532::/:/none\n' >/out/etc/passwd \
    && printf 'shopmesh:x:65532:\n' >/out/etc/group \
    && chmod 1777 /out/tmp

FROM scratch AS shopmesh
COPY --from=build /out /
COPY --from=build /shopmesh /shopmesh
USER 65532:65532
ENTRYPOINT ["/shopmesh"]

FROM scratch AS operator
COPY --from=build /out /
COPY --from=build /shopmesh-operator /shopmesh-operator
USER 65532:65532
ENTRYPOINT ["/shopmesh-operator"]
