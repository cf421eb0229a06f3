// Package login gives the steps of a job after this one a role in a cloud: it
// writes the job's token to files, and the variables that the cloud's SDKs read.
//
// It exchanges nothing, and cannot keep the login up: the job's steps are other
// processes. The package tool logs in for terraform alone.
package login

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request says which roles are taken, and where the login is written.
type Request struct {
	Cloud  cloud.Request
	Tokens cloud.Tokens
	Temp   string // directory of the job alone
	Getenv func(string) string
	SetEnv func(name, value string) error // for the steps after this one
}

// Result is the login that was written.
type Result struct {
	Expires   time.Time `json:"expires"`   // of the job's token
	Variables []string  `json:"variables"` // names of what was set
}

// Run logs in.
func Run(ctx context.Context, r Request) (result Result, err error) {
	dir, err := os.MkdirTemp(r.Temp, "waybill-login-")
	if err != nil {
		return result, fmt.Errorf("make a directory for the token: %w", err)
	}
	session, err := cloud.Open(ctx, r.Tokens, r.Cloud, dir)
	if err != nil {
		return result, outcome.Join(err, os.RemoveAll(dir))
	}
	for _, v := range session.Variables() {
		if err := r.SetEnv(v.Name, v.Value); err != nil {
			return result, err
		}
		result.Variables = append(result.Variables, v.Name)
	}
	for _, name := range session.Clears() {
		if r.Getenv(name) == "" {
			continue
		}
		if name == "AWS_PROFILE" { // an empty one names a profile that no tool finds
			return Result{}, outcome.Usagef("AWS_PROFILE is set, and would win over the role: take it out of the job's env")
		}
		if err := r.SetEnv(name, ""); err != nil {
			return Result{}, err
		}
	}
	result.Expires = session.Expires().UTC()
	return result, nil
}
