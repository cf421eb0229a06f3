package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored"
)

// jobs are what a script's OIDC issuer, once it runs, gives identities to.
type (
	jobs struct {
		issuer   *oidc.Issuer
		internet *internet
	}
	jobsKey struct{}
)

// condition [sigstore] holds where the programs of a Sigstore are.
func condition(tools string) func(string) (bool, error) {
	return func(cond string) (bool, error) {
		if cond != "sigstore" {
			return false, fmt.Errorf("no such condition: %s", cond)
		}
		for _, program := range []string{"fulcio", "rekor-server", "timestamp-server"} {
			if _, err := os.Stat(filepath.Join(tools, program)); err != nil {
				return false, nil
			}
		}
		return true, nil
	}
}

// startSigstore starts a Sigstore and an OIDC issuer that end with the script,
// and sets SIGNING_CONFIG, TRUSTED_ROOT and ISSUER.
func startSigstore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: sigstore")
	}
	issuer, err := oidc.Start(context.Background())
	ts.Check(err)
	ts.Defer(issuer.Stop)
	stack, err := sigstored.Start(context.Background(), sigstored.Options{
		Tools: ts.Getenv("TOOLS"), State: ts.MkAbs(".sigstore"), Issuers: []string{issuer.URL()},
	})
	ts.Check(err)
	ts.Defer(stack.Stop)
	ts.Value(jobsKey{}).(*jobs).issuer = issuer
	ts.Setenv("ISSUER", issuer.URL())
	ts.Setenv("SIGNING_CONFIG", stack.SigningConfig)
	ts.Setenv("TRUSTED_ROOT", stack.TrustedRoot)
}

// grantJob makes what follows run as a job, with GitHub's OIDC endpoint:
// job REPOSITORY COMMIT JOB_WORKFLOW_REF [VISIBILITY]
func grantJob(ts *testscript.TestScript, neg bool, args []string) {
	issuer := ts.Value(jobsKey{}).(*jobs).issuer
	if neg || len(args) < 3 || len(args) > 4 || issuer == nil {
		ts.Fatalf("usage, after sigstore: job REPOSITORY COMMIT JOB_WORKFLOW_REF [VISIBILITY]")
	}
	claims := oidc.Claims{Repository: args[0], SHA: args[1], Ref: "refs/heads/main", RunID: "7781", JobWorkflowRef: args[2]}
	if len(args) == 4 {
		claims.RepositoryVisibility = args[3]
	}
	url, token := issuer.Grant(claims)
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)
}

// readOutput sets VAR to what the step last wrote as output NAME to
// GITHUB_OUTPUT: output NAME VAR
func readOutput(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: output NAME VAR")
	}
	lines := strings.Split(ts.ReadFile(ts.Getenv("GITHUB_OUTPUT")), "\n")
	value, found := "", false
	for i, line := range lines {
		if strings.HasPrefix(line, args[0]+"<<") && i+1 < len(lines) {
			value, found = lines[i+1], true
		}
	}
	if !found {
		ts.Fatalf("no output %s", args[0])
	}
	ts.Setenv(args[1], value)
}
