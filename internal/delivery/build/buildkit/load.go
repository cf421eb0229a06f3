package buildkit

import (
	"context"
	"fmt"
	"strings"
)

// Load has the local Docker read an image out of an archive. It returns the name
// that the image has there, or its ID if it has none.
func (c Container) Load(ctx context.Context, file string) (string, error) {
	said, err := c.docker(ctx, "load", "--quiet", "--input", file)
	if err != nil {
		return "", fmt.Errorf("load the image into the local Docker: %w: start Docker, or write a file with --archive", err)
	}
	for line := range strings.Lines(said) {
		for _, before := range []string{"Loaded image: ", "Loaded image ID: "} {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), before); ok {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("load the image into the local Docker: docker load does not name the image, it wrote %q", said)
}
