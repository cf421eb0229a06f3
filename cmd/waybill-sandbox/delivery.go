package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/stage"
)

// served is what serve --delivery leaves in its directory for the commands
// that visit it.
type served struct {
	URLs      rehearsal.URLs    `json:"urls"`
	Variables map[string]string `json:"variables"` // of every repository
}

const rehearsalFile, envFile = "rehearsal.json", "env"

// built names what is missing of a checkout that is to serve.
func built(root, tools string) error {
	for _, need := range []string{
		filepath.Join(root, "bin", "waybill"), filepath.Join(root, "bin", "waybill-scan"), filepath.Join(tools, "act"),
		filepath.Join(tools, "fulcio"), filepath.Join(tools, "rekor-server"), filepath.Join(tools, "timestamp-server"),
	} {
		if _, err := os.Stat(need); err != nil {
			return outcome.Usagef("%s is not there: run make build tools-demo", need)
		}
	}
	return nil
}

func serveDelivery(cmd *cobra.Command, root string, o rehearsal.Options) error {
	top, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	tools := filepath.Join(top, "bin", "tools")
	if err := built(top, tools); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return outcome.Usagef(
			"%s is not empty: what a rehearsal left behind cannot be taken up again; remove it, or name another directory", dir,
		)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s, err := stage.Start(cmd.Context(), stage.Options{
		Root: top, Dir: dir, Tools: tools, Env: o.Env, Keep: o.Keep, Logf: o.Logf, Tell: o.Logf,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := announce(s, dir); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(dir, rehearsalFile))
	if err := json.NewEncoder(cmd.OutOrStdout()).Encode(s.URLs()); err != nil {
		return fmt.Errorf("print the addresses: %w", err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "ready: . %s\n", filepath.Join(dir, envFile))
	<-cmd.Context().Done()
	return nil
}

// announce writes where the stage's parts are: files to verify by, a file to
// source, and, when all else is there, the document that wait looks for.
func announce(s *stage.Stage, dir string) error {
	root, signing := filepath.Join(dir, "trusted-root.json"), filepath.Join(dir, "signing-config.json")
	for file, variable := range map[string]string{root: "WAYBILL_TRUSTED_ROOT", signing: "WAYBILL_SIGNING_CONFIG"} {
		if err := os.WriteFile(file, []byte(s.Variables[variable]), 0o644); err != nil {
			return err
		}
	}
	urls := s.URLs()
	lines := []string{"# Where the rehearsal is: source this file."}
	for _, v := range [][2]string{
		{"REHEARSAL", dir}, {"GITHUB_SERVER_URL", urls.Server}, {"GITHUB_API_URL", urls.API},
		{"GITHUB_TOKEN", s.GitHub.CreateToken(githubd.Token{User: "alice"})},
		{"REGISTRY", urls.Registry}, {"ISSUER", urls.Issuer}, {"TRUSTED_ROOT", root}, {"SIGNING_CONFIG", signing},
		{"DB_REPOSITORY", s.Variables["WAYBILL_DB_REPOSITORY"]},
	} {
		lines = append(lines, "export "+v[0]+"='"+strings.ReplaceAll(v[1], "'", `'\''`)+"'")
	}
	if err := os.WriteFile(filepath.Join(dir, envFile), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	document, err := json.Marshal(served{
		URLs: urls, Variables: map[string]string{"WAYBILL_TRUSTED_ROOT": s.Variables["WAYBILL_TRUSTED_ROOT"]},
	})
	if err != nil {
		return err
	}
	// Whole or not at all: wait may be looking for it.
	if err := os.WriteFile(filepath.Join(dir, rehearsalFile+".part"), document, 0o600); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, rehearsalFile+".part"), filepath.Join(dir, rehearsalFile))
}
