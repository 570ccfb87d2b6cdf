# The image of a release: the program, glibc and the C++ library that DuckDB needs, and nothing else.
#
#   docker build --build-arg VERSION=1.2.3 -t trailhook .
#   docker run --read-only --cap-drop ALL -p 8080:8080 -p 8090:8090 -v trailhook:/var/lib/trailhook trailhook

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/trailhook ./cmd/trailhook
# A folder to be owned by the user of the last stage, who cannot make one.
RUN mkdir -p /out/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/trailhook /usr/bin/trailhook
COPY --from=build --chown=65532:65532 --chmod=0700 /out/data /var/lib/trailhook
USER 65532:65532
ENV TRAILHOOK_DATA_DIR=/var/lib/trailhook \
    TRAILHOOK_API_ADDR=0.0.0.0:8080 \
    TRAILHOOK_SIEM_ADDR=0.0.0.0:8090 \
    TRAILHOOK_SYSLOG_ADDR=0.0.0.0:8071 \
    TRAILHOOK_PROXY_ADDR=0.0.0.0:8000 \
    TRAILHOOK_OPS_ADDR=0.0.0.0:9091 \
    TRAILHOOK_LOG_FORMAT=json
VOLUME /var/lib/trailhook
EXPOSE 8000 8080 8090 8071/tcp 8071/udp 9091
HEALTHCHECK --interval=30s --timeout=15s --start-period=2m CMD ["/usr/bin/trailhook", "health"]
ENTRYPOINT ["/usr/bin/trailhook"]
CMD ["serve"]
