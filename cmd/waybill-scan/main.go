// Command waybill-scan scans the image manifests that a request on standard
// input names and writes the answer to standard output; `waybill scan` starts
// it.
//
// It parses layers that anybody may have written, so that it gets nothing of the
// job: no token, no login, and no network but the gateway by which waybill serves
// it the layers.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/delivery/scan/trivy"
	"github.com/waybill-dev/waybill/internal/door/registry"
)

// maxRequest bounds what is read from standard input: 16 MiB.
const maxRequest = 16 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("waybill-scan version %s, trivy %s\n", cli.Version(), trivy.Version())
		return
	}
	if err := run(ctx, os.Stdin, os.Stdout); err != nil {
		if errors.Is(err, trivy.ErrNeedsJavaDatabase) {
			os.Exit(exchange.NeedsJavaDatabase) // waybill fetches it and asks again
		}
		die(err)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	var request exchange.Request
	if err := json.NewDecoder(io.LimitReader(in, maxRequest)).Decode(&request); err != nil {
		return fmt.Errorf("read the request: %w: waybill scan writes it to standard input", err)
	}
	if err := limitMemory(request.Limits.MemoryBytes); err != nil {
		return fmt.Errorf("limit the memory to %d bytes: %w", request.Limits.MemoryBytes, err)
	}
	unpacked := new(atomic.Int64)
	if err := limitDisk(ctx, os.TempDir(), request.Limits, unpacked, die); err != nil {
		return fmt.Errorf("limit the temporary files to %d bytes: %w", request.Limits.DiskBytes, err)
	}
	client, err := registry.NewGuest(request.Gateway, "waybill-scan/"+cli.Version())
	if err != nil {
		return err
	}
	if err := confine(request); err != nil {
		fmt.Fprintf(os.Stderr, "the scanner is confined less than it could be, because the kernel does not do all of it: %v\n", err)
	}
	answer, documents, err := trivy.Scan(ctx, client, request, unpacked, die)
	if err == nil {
		err = exchange.Write(out, answer, documents)
	}
	if errors.Is(err, syscall.EFBIG) || err != nil && strings.Contains(err.Error(), syscall.EFBIG.Error()) {
		return tooMuchDisk(request.Limits.DiskBytes, err)
	}
	return err
}
