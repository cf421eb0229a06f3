package actions

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// released reports whether a directory has Waybill's actions and their binaries are
// here. Other repositories have actions too.
func (e *Engine) released(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "actions", "version.txt"))
	return e.o.Binaries != "" && err == nil
}

// release writes the checksums of the binaries into a copy of Waybill's actions,
// as scripts/release.sh does for a release: actions verify what they run here
// too.
func (e *Engine) release(dir string) error {
	if !e.released(dir) {
		return nil
	}
	version, err := os.ReadFile(filepath.Join(dir, "actions", "version.txt"))
	if err != nil {
		return fmt.Errorf("release the binaries to the rehearsal: %w", err)
	}
	var sums strings.Builder
	for _, name := range []string{"waybill", "waybill-scan", "waybill-sandbox"} {
		sum, err := checksum(filepath.Join(e.o.Binaries, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("release the binaries to the rehearsal: %w", err)
		}
		fmt.Fprintf(&sums, "%s  %s_%s_%s_%s\n", sum, name, strings.TrimSpace(string(version)), runtime.GOOS, runtime.GOARCH)
	}
	if err := os.WriteFile(filepath.Join(dir, "actions", "checksums.txt"), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("release the binaries to the rehearsal: %w", err)
	}
	return nil
}

func checksum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}
