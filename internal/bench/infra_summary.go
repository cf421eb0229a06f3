package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
)

const (
	// summariseFlag makes this program a process that summarises one plan, so
	// that its memory can be told from everything else's.
	summariseFlag = "-summarise"
)

// A key pair of age that is for nothing else.
const (
	sealRecipient = "age17sxr62rycevghh2d8hr3mk7rkns637yhxkkpptwyl90xuwv9mcvsh6zd4y"
	sealIdentity  = "AGE-SECRET-KEY-1GZ6CNWWPWE3L7DU66YWKJ5Y40ZHSHRE9N5XFHLTVR2K2QF42NYQSKHT43N"
)

// infraSummary summarises a plan that the real terraform made, in a process of
// its own; the peer is terraform showing the same plan.
func infraSummary(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-summary-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	main := fmt.Sprintf(
		"resource \"terraform_data\" \"x\" {\n  count = %d\n  input = { name = \"resource-${count.index}\", tags = { team = "+
			"\"platform\", env = \"prod\" }, list = [for i in range(20) : \"value-${i}\"] }\n}\n",
		e.resources,
	)
	if err := writeFiles(dir, map[string][]byte{"main.tf": []byte(main)}); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-input=false"}, {"plan", "-input=false", "-out=tfplan"}} {
		if err := e.terraform(ctx, dir, args...); err != nil {
			return err
		}
	}
	program, err := process.LookPath("terraform")
	if err != nil {
		return err
	}
	shown, err := process.Command{Path: program, Args: []string{"show", "-json", "tfplan"}, Dir: dir, Env: e.env}.Output(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(file, shown, 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var words []byte
	a, b, err := alternate(e.runs(3), func() error {
		words, err = process.Command{Path: self, Args: []string{summariseFlag, file}, Env: e.env}.Output(ctx)
		return err
	}, func() error { return e.terraform(ctx, dir, "show", "-json", "tfplan") })
	if err != nil {
		return err
	}
	e.compare(
		fmt.Sprintf("Summarising a plan of %d resources (%d MB of JSON)", e.resources, len(shown)>>20),
		"reading, summary, secrets, digest and comment: a process of its own", "`terraform show -json` of the same plan", a, b,
	)
	e.printf("\n%s\n", words)
	return nil
}

// summarise is what waybill plan does with a plan once terraform has shown it.
func summarise(out io.Writer, file string) error {
	begin := time.Now()
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	parsed, err := terraform.ParsePlan(data)
	if err != nil {
		return err
	}
	changes, err := plan.ChangesDigest(data)
	if err != nil {
		return err
	}
	secrets := redact.FindSecrets(parsed)
	result := plan.Result{Roots: []plan.RootPlan{{
		Record: plan.RootRecord{Dir: "root", Changes: changes}, JSON: data, Summary: summary.Summarize(parsed, secrets),
	}}}
	text := comment.Of(&result).Comment(markdown.MaxComment)
	_, err = fmt.Fprintf(
		out, "Of that, without starting the process: %s; a comment of %d bytes; largest resident size %d MB.",
		milliseconds(time.Since(begin)), len(text), residentPeak("self"),
	)
	return err
}

// residentPeak is the largest resident size of a process in MB; 0 if it has ended.
func residentPeak(pid string) int {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		var kB int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kB); n == 1 {
			return kB / 1024
		}
	}
	return 0
}

// infraSeal seals and opens a plan of random bytes, which nothing compresses.
func infraSeal(_ context.Context, e environment) error {
	data := make([]byte, e.sealedMB<<20)
	if _, err := rand.Read(data); err != nil {
		return err
	}
	recipients, err := seal.ParseRecipients([]string{sealRecipient})
	if err != nil {
		return err
	}
	identities, err := seal.ParseIdentities(sealIdentity)
	if err != nil {
		return err
	}
	const shown = `{"format_version":"1.2","resource_changes":[],"output_changes":{}}`
	changes, err := plan.ChangesDigest([]byte(shown))
	if err != nil {
		return err
	}
	record := plan.RootRecord{Dir: "root", Plan: plan.Digest(data), Changes: changes}
	bundle := seal.Bundle{
		Document: plan.Document{Version: plan.DocumentVersion, Roots: []plan.RootRecord{record}}, Created: time.Now(),
		Expires: time.Now().Add(time.Hour), Roots: []seal.Root{{Binary: data, JSON: []byte(shown)}},
	}
	fingerprint, err := bundle.Document.Fingerprint()
	if err != nil {
		return err
	}
	var sealed []byte
	a, b, err := alternate(e.runs(5), func() error {
		sealed, err = seal.Seal(bundle, recipients)
		return err
	}, func() error {
		_, err := seal.Open(sealed, identities, seal.Expect{Fingerprint: fingerprint, Now: time.Now()})
		return err
	})
	if err != nil {
		return err
	}
	e.printf(
		"\n### Sealing a plan of %d MB\n\n| | median (range), %d runs |\n|---|---|\n| seal | %s |\n| open | %s |\n", e.sealedMB,
		len(a), a, b,
	)
	return nil
}
