// Command waybill-scan scans the image manifests that a request on standard
// input names and writes the answer to standard output; `waybill scan` starts
// it.
//
// It parses layers that anybody may have written, and so holds nothing but
// read access to the registry: no job token, no identity, no write credential.
// Credentials come by WAYBILL_REGISTRY_USERNAME and WAYBILL_REGISTRY_PASSWORD
// or by the config.json of DOCKER_CONFIG.
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
	"github.com/waybill-dev/waybill/internal/command/contract"
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
	if err := run(ctx, os.Getenv, os.Stdin, os.Stdout); err != nil {
		if errors.Is(err, trivy.ErrNeedsJavaDatabase) {
			os.Exit(exchange.NeedsJavaDatabase) // waybill fetches it and asks again
		}
		die(err)
	}
}

func run(ctx context.Context, getenv func(string) string, in io.Reader, out io.Writer) error {
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
	hosts := registry.ReadHosts(getenv(contract.EnvRegistries.Name)) // before files are out of reach
	if err := confine(request, getenv); err != nil {
		fmt.Fprintf(os.Stderr, "the scanner is confined less than it could be, because the kernel does not do all of it: %v\n", err)
	}
	client := registry.New(registry.Options{
		Registry: request.Registry, Username: getenv(contract.EnvRegistryUser.Name), Password: getenv(contract.EnvRegistryPass.Name),
		UserAgent: "waybill-scan/" + cli.Version(), Hosts: hosts,
	})
	answer, documents, err := trivy.Scan(ctx, client, request, unpacked, die)
	if err == nil {
		err = exchange.Write(out, answer, documents)
	}
	if errors.Is(err, syscall.EFBIG) || err != nil && strings.Contains(err.Error(), syscall.EFBIG.Error()) {
		return tooMuchDisk(request.Limits.DiskBytes, err)
	}
	return err
}
