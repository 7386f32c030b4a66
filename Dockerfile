# The image holds the program, the certificates of public authorities, and nothing else: no shell, no libraries.
#
#   docker build --build-arg VERSION=1.2.3 --tag ordergate:1.2.3 .

FROM golang:1.26 AS build
WORKDIR /src
# Modules first, so that their layer is only made anew when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# timetzdata carries the time zones in the program, because the image has none.
RUN CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=${VERSION}" -o /ordergate ./cmd/ordergate
# /data is for an SQLite file, where one is used; /tmp for what the sandbox keeps while it runs.
RUN mkdir -p /writable/data /writable/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /ordergate /ordergate
COPY --from=build --chown=65532:65532 /writable/ /
WORKDIR /data
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV ORDERGATE_LISTEN=:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/ordergate", "health"]
ENTRYPOINT ["/ordergate"]
CMD ["serve"]
