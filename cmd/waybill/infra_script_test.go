package main

import (
	"encoding/json"

	"github.com/rogpeppe/go-internal/testscript"
)

// readSealed sets SEALED and FINGERPRINT from a plan's JSON: sealed FILE
func readSealed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sealed FILE")
	}
	var summary struct{ Plan, Fingerprint string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &summary))
	ts.Setenv("SEALED", summary.Plan)
	ts.Setenv("FINGERPRINT", summary.Fingerprint)
}
