# The binaries of a release, as scripts/release.sh built them. It has no git and
# no terraform: it is for the commands that speak to registries and to GitHub.
FROM gcr.io/distroless/static-debian12:nonroot
ARG TARGETARCH
COPY dist/image/$TARGETARCH/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/waybill"]
