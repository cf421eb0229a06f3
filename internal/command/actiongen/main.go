// Command actiongen writes what follows from internal/command/contract: the composite
// actions, the root action, the options of each command as Go structs, and the
// tables of docs.
//
//	go run ./internal/command/actiongen          writes
//	go run ./internal/command/actiongen -check   fails where a file is not what it would write
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	root := flag.String("root", ".", "top of the repository")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := generate()
	if err != nil {
		return err
	}
	stale := 0
	for _, f := range files {
		path := filepath.Join(root, f.name)
		now, err := os.ReadFile(path)
		if err == nil && bytes.Equal(now, f.data) {
			continue
		}
		if check {
			fmt.Fprintf(os.Stderr, "%s is not what internal/command/contract gives: run make generate\n", f.name)
			stale++
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return err
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d generated files are stale", stale)
	}
	return nil
}

type file struct {
	name string
	data []byte
}

func generate() ([]file, error) {
	files := []file{{"action.yml", setupAction()}}
	for _, c := range contract.Commands() {
		if !c.CommandOnly {
			files = append(files, file{"actions/" + c.Name + "/action.yml", commandAction(c)})
		}
	}
	options, err := optionsFile()
	if err != nil {
		return nil, fmt.Errorf("format the options: %w", err)
	}
	return append(files,
		file{"docs/commands.md", commandReference()}, file{"internal/command/options/options.go", options}), nil
}
