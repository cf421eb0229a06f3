package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal"
)

func command(ctx context.Context, args ...string) (*cobra.Command, *io.PipeReader, *io.PipeWriter) {
	out, in := io.Pipe()
	cmd := serve()
	cmd.SetArgs(args)
	cmd.SetOut(in)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetContext(ctx)
	return cmd, out, in
}

// serve prints where everything is, serves it, and ends when it is interrupted.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	cmd, out, _ := command(ctx, "--dir", t.TempDir(), "--act", "none")
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var urls rehearsal.URLs
	if err := json.Unmarshal(line, &urls); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int{
		urls.Admin + "/runs": 200, urls.API + "/repos/a/b": 404, "http://" + urls.Registry + "/v2/": 200,
		urls.Issuer + "/.well-known/openid-configuration": 200, urls.GraphQL: 404,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
		}
	}
	interrupt()
	if err := <-done; err != nil {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := http.Get(urls.API); err == nil { //nolint:noctx // it must not answer
		t.Error("it still answers")
	}
}

func TestServeRefusals(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"serve needs --dir":                           {},
		"--local x is not of the form OWNER/NAME=DIR": {"--dir", t.TempDir(), "--local", "x"},
	} {
		cmd, _, _ := command(t.Context(), args...)
		err := cmd.ExecuteContext(t.Context())
		var known *outcome.Error
		if !errors.As(err, &known) || known.Code != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a usage error %q", err, want)
		}
	}
}
