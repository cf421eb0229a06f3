package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// watchEvery is how often the temporary files are measured: on a fast disk, some
// dozens of megabytes are written meanwhile.
const watchEvery = 50 * time.Millisecond

// limitDisk bounds the temporary files that analyzers write: no file may be
// larger than the limit, and exceed is called once all of them together are, or
// are many times what has been unpacked: an archive in a layer may be a bomb.
// Zero is no limit. The directory is the child's own.
func limitDisk(ctx context.Context, dir string, limits exchange.Limits, unpacked *atomic.Int64, exceed func(error)) error {
	bytes := limits.DiskBytes
	if bytes <= 0 {
		return nil
	}
	signal.Ignore(syscall.SIGXFSZ) // so that the write fails, and not the process
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}); err != nil {
		return err
	}
	go func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				used := diskUsed(dir)
				if used > bytes {
					exceed(tooMuchDisk(bytes, nil))
					return
				}
				if limits.Ratio > 0 && used > limits.RatioFree && used/limits.Ratio > unpacked.Load() {
					exceed(fmt.Errorf(
						"an archive in the image unpacks to more than %d times its size, and to more than %d MiB of temporary files",
						limits.Ratio, limits.RatioFree>>20,
					))
					return
				}
			}
		}
	}()
	return nil
}

// tooMuchDisk names the limit; cause may be nil.
func tooMuchDisk(limit int64, cause error) error {
	err := fmt.Errorf(
		"the image needs more than the %d MiB of temporary files that one scan may write: its executables or archives are larger "+
			"than any that are scanned",
		limit>>20,
	)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// diskUsed sums what is in dir. What goes away meanwhile does not count.
func diskUsed(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// die ends the child at once: the analyzers cannot be stopped in the middle.
// Its parent removes what is left.
func die(err error) {
	fmt.Fprintln(os.Stderr, exchange.Failure+strings.ReplaceAll(err.Error(), "\n", "; "))
	os.Exit(outcome.Broken)
}
