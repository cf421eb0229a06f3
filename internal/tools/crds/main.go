// Command crds gathers the definitions of custom resources that the examples
// use, from the Go modules of the projects that define them, into one file.
//
// The modules stand in modules.txt with their checksums, not in a go.mod: not
// one package of theirs is compiled, and Argo CD's own go.mod cannot be
// required by another. What does not have its checksum is refused.
//
//	go run ./crds FILE
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed modules.txt
var modules string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crds FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crds:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	var all bytes.Buffer
	for line := range strings.Lines(modules) {
		if fields := strings.Fields(line); len(fields) == 5 && fields[0] != "#" {
			if err := gather(&all, fields); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".part", all.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// gather adds the definitions of a line of modules.txt. Above each it says where it comes from,
// and which chart brings it: the test that makes the schemas of charts reads that.
func gather(all *bytes.Buffer, line []string) error {
	module, version, sum, dir, chart := line[0], line[1], line[2], line[3], line[4]
	source, err := download(module, version, sum)
	if err != nil {
		return fmt.Errorf("download %s@%s: %w", module, version, err)
	}
	names, err := filepath.Glob(filepath.Join(source, filepath.FromSlash(dir), "*.yaml"))
	if err != nil {
		return err
	}
	found := false
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte("kind: CustomResourceDefinition")) {
			found = true
			fmt.Fprintf(all, "---\n# %s@%s chart %s\n%s\n", module, version, chart, bytes.TrimPrefix(data, []byte("---\n")))
		}
	}
	if !found {
		return fmt.Errorf("%s@%s: no definitions in %s", module, version, dir)
	}
	return nil
}

// download gives the directory of a module in the module cache.
func download(module, version, sum string) (string, error) {
	outside, err := os.MkdirTemp("", "crds") // of any module, whose go.mod would count
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(outside)
	cmd := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = outside
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off")
	out, err := cmd.Output()
	var result struct{ Dir, Sum, Error string }
	if decoded := json.Unmarshal(out, &result); decoded != nil {
		return "", errors.Join(err, decoded)
	}
	switch {
	case result.Error != "":
		return "", errors.New(result.Error)
	case err != nil:
		return "", err
	case result.Sum != sum:
		return "", fmt.Errorf("its checksum is %s, not %s as modules.txt says", result.Sum, sum)
	}
	return result.Dir, nil
}
