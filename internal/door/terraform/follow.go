package terraform

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// followEvery is how often what terraform has written is looked at.
const followEvery = 100 * time.Millisecond

// runFollowed runs the command with its output in a file, which is read as it
// grows. Through a pipe, terraform would be ended by its next word if this
// process were killed, in the middle of a resource, with the state unsaved and
// locked; so it goes on to its end.
func runFollowed(ctx context.Context, c process.Command, dir string, w io.Writer) error {
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		return fmt.Errorf("make a file for terraform's words: %w", err)
	}
	file, err := os.CreateTemp(dir, "events-*")
	if err != nil {
		return fmt.Errorf("make a file for terraform's words: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	reader, err := os.Open(file.Name())
	if err != nil {
		return fmt.Errorf("read terraform's words: %w", err)
	}
	defer reader.Close()
	c.Stdout = file
	ended := make(chan struct{})
	read := make(chan error, 1)
	go func() {
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				_, err := io.Copy(w, reader)
				read <- err
				return
			case <-ticker.C:
				if _, err := io.Copy(w, reader); err != nil {
					read <- err
					return
				}
			}
		}
	}()
	err = c.Run(ctx)
	close(ended)
	return outcome.Join(err, <-read)
}
