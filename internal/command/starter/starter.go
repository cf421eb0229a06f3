// Package starter writes the files that an application, config or
// infrastructure repository starts from.
//
// They are the files of examples/ and workflows/ with other names, so that the
// examples and what init writes cannot drift apart. A file that exists is never
// changed unless that is asked for: one that is the same is left alone, one
// that differs is named, so that running again after an upgrade shows what is
// new. Nothing is written outside the directory, and nothing before every name
// has been looked at.
package starter

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Kinds of repository.
const (
	App    = "app"
	Config = "config"
	Infra  = "infra"
)

// Result lists the files by what became of them, as slash paths.
type Result struct {
	Written  []string `json:"written,omitempty"`
	Replaced []string `json:"replaced,omitempty"`
	Same     []string `json:"same,omitempty"`
	Kept     []string `json:"kept,omitempty"` // they differ, and were not replaced
	Next     []string `json:"next,omitempty"` // what people do now
}

// Write writes the files of a kind of repository below dir. With force, those
// that are there and differ are replaced. What was written is recorded for Upgrade.
func Write(dir, kind string, n Names, force bool) (Result, error) {
	return each(dir, kind, n, force, false)
}

// Preview returns what Write would, and writes nothing.
func Preview(dir, kind string, n Names, force bool) (Result, error) {
	return each(dir, kind, n, force, true)
}

func each(dir, kind string, n Names, force, dryRun bool) (Result, error) {
	if err := n.complete(kind); err != nil {
		return Result{}, err
	}
	list, err := files(kind, n)
	if err != nil {
		return Result{}, err
	}
	root, err := os.OpenRoot(dir) // nothing is written outside, whatever links lie there
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, outcome.Usagef("--dir %s: no such directory: make it with git init %s", dir, dir)
	}
	if err != nil {
		return Result{}, fmt.Errorf("open %s: %w", dir, err)
	}
	defer root.Close()
	var result Result
	if kind == App && n.Template == None && !force {
		if list[0].name, err = freeWorkflow(root, list[0]); err != nil {
			return Result{}, err
		}
	}
	for _, f := range list {
		now, err := root.ReadFile(filepath.FromSlash(f.name))
		into := &result.Written
		switch {
		case err == nil && bytes.Equal(now, f.data):
			result.Same = append(result.Same, f.name)
			continue
		case err == nil && !force:
			result.Kept = append(result.Kept, f.name)
			continue
		case err == nil:
			into = &result.Replaced
		case !errors.Is(err, fs.ErrNotExist):
			return result, fmt.Errorf("read %s in %s: %w", f.name, dir, err)
		}
		if !dryRun {
			if err := write(root, f); err != nil {
				return result, fmt.Errorf("write %s in %s: %w", f.name, dir, err)
			}
		}
		*into = append(*into, f.name)
	}
	return result, record{Waybill: n.Version, Kind: kind, Names: n}.remember(root, list, &result, dryRun)
}

// freeWorkflow is the name under which an application's workflow is written. A
// workflow of that name that does not call deliver.yml is the application's own:
// if it were kept, nothing would be delivered.
func freeWorkflow(root *os.Root, f file) (string, error) {
	now, err := root.ReadFile(filepath.FromSlash(f.name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Contains(now, []byte("/"+deliverWorkflow+"@")) {
		return f.name, nil
	}
	return workflowDir + "waybill.yml", err
}

// write makes the file whole or not at all.
func write(root *os.Root, f file) error {
	at := filepath.FromSlash(f.name)
	if err := root.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(at+".part", f.data, 0o644); err != nil {
		return err
	}
	return root.Rename(at+".part", at)
}

type file struct {
	name string
	data []byte
}
