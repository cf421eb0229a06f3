// Command program is the shell and the npm of the rehearsal's base images: it
// runs npm ci, npm run and cp -R, and nothing else.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	args := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "sh" && args[1] == "-c":
		return run(strings.Fields(args[2]))
	case len(args) == 2 && args[0] == "npm" && args[1] == "ci":
		for _, name := range []string{"package.json", "package-lock.json"} {
			if _, err := scripts(name); err != nil {
				return err
			}
		}
		return os.MkdirAll("node_modules", 0o755)
	case len(args) == 3 && args[0] == "npm" && args[1] == "run":
		list, err := scripts("package.json")
		if err != nil {
			return err
		}
		if list[args[2]] == "" {
			return fmt.Errorf("package.json has no script %q", args[2])
		}
		return run(strings.Fields(list[args[2]]))
	case len(args) == 4 && args[0] == "cp" && args[1] == "-R":
		return os.CopyFS(args[3], os.DirFS(args[2]))
	}
	return errors.New("the rehearsal's base image cannot run " + strings.Join(args, " "))
}

func scripts(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p struct{ Scripts map[string]string }
	err = json.Unmarshal(data, &p)
	return p.Scripts, err
}
