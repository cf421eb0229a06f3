package buildkit

import (
	"context"
	"strings"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

// trouble says what to do about an error that does not say it; empty if nothing is
// known.
func (e Engine) trouble(ctx context.Context, address string, err error) string {
	switch {
	case strings.Contains(err.Error(), "no space left on device"):
		return " (the disk of the builder, or a limit of its own, is full: remove what its cache holds with buildctl prune, or give it more)"
	case strings.Contains(err.Error(), "no match for platform in manifest"):
		return " (the base image is not there for that platform: leave the platform out of --platform, or use another base image)"
	case strings.Contains(err.Error(), "invalid user index"):
		return " (the stage has no user or group of the name in --chown: give its number, or copy /etc/passwd and /etc/group before)"
	case grpcerrors.Code(err) == codes.Unavailable && address == "docker-container://"+containerName:
		return " (the builder ended in the middle of the build. Its log ends: " + e.Container.logs(ctx) + ")"
	case grpcerrors.Code(err) == codes.Unavailable:
		return " (the builder ended, or the connection to it, in the middle of the build: see its log and memory, and run build again)"
	}
	return ""
}
