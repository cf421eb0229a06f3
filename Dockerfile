# The binaries of a release, as scripts/release.sh built them. It has no git and
# no terraform: it is for the commands that speak to registries and to GitHub.
# Before a release the base gets its digest: CONTRIBUTING.md, Releasing.
FROM gcr.io/distroless/static-debian13:nonroot
ARG TARGETARCH
COPY dist/image/$TARGETARCH/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/waybill"]
