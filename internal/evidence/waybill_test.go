package evidence

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestWaybillRoundTrip(t *testing.T) {
	t.Parallel()
	w := NewWaybill(good(), goodPolicy(), now)
	w.App, w.Env = "demo-api", "prod"
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back Waybill
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(Record{}, "Predicate")
	if diff := cmp.Diff(
		w, back, ignore, cmpopts.IgnoreUnexported(Waybill{}),
		cmp.Comparer(func(a, b interface{ String() string }) bool { return a.String() == b.String() }),
	); diff != "" {
		t.Errorf("read back: %s", diff)
	}
	if _, ok := w.ScanReport(); !ok {
		t.Error("no scan report in the waybill")
	}
	if _, ok := back.ScanReport(); ok {
		t.Error("a waybill read back has a scan report")
	}
}

// Only what counts is shown as known: a stranger's records are problems.
func TestWaybillRestsOnWhatCounts(t *testing.T) {
	t.Parallel()
	e := good()
	worse := goodReport()
	high(&worse)
	stranger := scanRecord(worse)
	stranger.Signer.Identity = "https://github.com/evil/x/.github/workflows/a.yml@refs/heads/main"
	e.Records = append(e.Records, stranger)
	w := NewWaybill(e, goodPolicy(), now)
	if w.Scan.Counts[High] != 0 || len(w.Records) != 4 {
		t.Errorf("the stranger's scan is shown: %+v", w)
	}
	if len(w.Problems) != 1 || !strings.Contains(w.Problems[0].Detail, "evil/x") {
		t.Errorf("problems: %+v", w.Problems)
	}
	if !strings.Contains(w.Text(), "found and not counted") || !strings.Contains(w.Markdown(), "Found and not counted: 1") {
		t.Error("the waybill does not tell of the stranger's scan")
	}
	e.Records = e.Records[4:] // then the reason tells it
	if w := NewWaybill(e, goodPolicy(), now); strings.Count(w.Text(), "evil/x") != 1 {
		t.Errorf("the stranger's scan is not told once:\n%s", w.Text())
	}
}

func TestRefusalText(t *testing.T) {
	t.Parallel()
	e, p := good(), goodPolicy()
	rescan(&e, high)
	w := NewWaybill(e, p, now)
	w.App, w.Env = "demo-api", "prod"
	want := `demo-api sha256:111111111111 may not enter prod
  scan  1 high finding with a fix: CVE-2026-1234 (openssl 3.3.1, fixed in 3.3.2)
        → update the base image or the package, or add a waiver with reason and expiry to waybill.yaml
  signature  ok    provenance  ok    sbom  ok    source  ok`
	if diff := cmp.Diff(want, w.Refusal()); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(w.Text(), "refused: demo-api sha256:111111111111 may not enter prod\n") {
		t.Errorf("got %s", w.Text())
	}
	d := Decide(Reason{Rule: "soak", State: Pending, Detail: "3 h 10 m in staging, 24 h asked", Until: now})
	if got := d.Lines(); !strings.Contains(got, "→ passes 2026-11-20 12:00 UTC") {
		t.Errorf("got %s", got)
	}
	// A rule that says so itself is not repeated.
	for remedy, want := range map[string]string{
		"passes 2026-11-20 12:00 UTC": "→ passes 2026-11-20 12:00 UTC\n", "or give --now": "→ passes 2026-11-20 12:00 UTC or give --now\n",
	} {
		d.Reasons[0].Remedy = remedy
		if got := d.Lines(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What comes from outside stays text, in Markdown and on the terminal.
func TestHostileText(t *testing.T) {
	t.Parallel()
	e, p := good(), goodPolicy()
	rescan(&e, func(r *ScanReport) {
		high(r)
		r.Platforms[1].Findings[0].Package = "</details>\n\x1b[2J@acme/all [x](https://evil) | `"
	})
	rebuild(&e, func(b *BuildRecord) { b.BaseImages[0].Name = "evil|`\n# x" })
	w := NewWaybill(e, p, now)
	w.App = "demo\n::error::x"
	text, md := w.Text(), w.Markdown()
	for _, bad := range []string{"\x1b", "\n::error", "\n# x"} {
		if strings.Contains(text, bad) || strings.Contains(md, bad) {
			t.Errorf("%q gets through", bad)
		}
	}
	for _, bad := range []string{"</details>", "@acme", "](https://evil)", "https://evil"} {
		if strings.Contains(md, bad) {
			t.Errorf("%q gets into the Markdown", bad)
		}
	}
}

func TestSBOMAbout(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ doc, predicateType, digest, err string }{
		"CycloneDX by version": {
			`{"bomFormat":"CycloneDX","metadata":{"component":{"name":"r/a","version":"` + indexDigest + `"}}}`, PredicateCycloneDX,
			indexDigest, "",
		},
		"CycloneDX by purl": {
			`{"bomFormat":"CycloneDX","metadata":{"component":{"name":"a","purl":"pkg:oci/a@` + strings.Replace(indexDigest, ":", "%3A", 1) + `?x=y"}}}`,
			PredicateCycloneDX, indexDigest, "",
		},
		"SPDX by relationship": {`{"spdxVersion":"SPDX-2.3","name":"` + amdDigest + `","packages":[
			{"SPDXID":"SPDXRef-x","versionInfo":"` + armDigest + `"},{"SPDXID":"SPDXRef-r","versionInfo":"` + indexDigest + `"}],
			"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-r"}]}`, PredicateSPDX, indexDigest, ""},
		"SPDX by name":  {`{"spdxVersion":"SPDX-2.3","name":"r/a@` + indexDigest + `"}`, PredicateSPDX, indexDigest, ""},
		"says nothing":  {`{"bomFormat":"CycloneDX"}`, PredicateCycloneDX, "", ""},
		"half a digest": {`{"bomFormat":"CycloneDX","metadata":{"component":{"version":"sha256:12"}}}`, PredicateCycloneDX, "", ""},
		"neither":       {`{}`, "", "", "neither CycloneDX nor SPDX"},
		"no JSON":       {`<x/>`, "", "", "read SBOM"},
	} {
		predicateType, digest, err := SBOMAbout([]byte(tc.doc))
		if predicateType != tc.predicateType || digest != tc.digest {
			t.Errorf("%s: got %q, %q", name, predicateType, digest)
		}
		if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPackages(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]int{
		`{"components":[{"type":"library","purl":"pkg:deb/a@1"},{"type":"library","purl":"pkg:deb/a@1"},{"type":"container","purl":"pkg:oci/x"},{"type":"library"}]}`:               1,
		`{"packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/a@1"}]},{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:oci/x"}]},{}]}`: 1,
		`{}`: 0,
	} {
		if got, err := (Record{Kind: SBOM, Predicate: json.RawMessage(doc)}).Packages(); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", doc, got, err, want)
		}
	}
}

func TestProvenanceOfAnotherBuilder(t *testing.T) {
	t.Parallel()
	r := record(Provenance, PredicateProvenance, json.RawMessage(`{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1",
		"resolvedDependencies":[{"uri":"git+https://github.com/acme/demo-api@refs/heads/main","digest":{"gitCommit":"`+commitA+`"}}]},
		"runDetails":{"builder":{"id":"https://github.com/actions/runner"},"metadata":{"invocationId":"https://github.com/acme/demo-api/actions/runs/1"}}}`))
	got, err := r.Build()
	if err != nil {
		t.Fatal(err)
	}
	want := Build{
		Source:    Source{Repository: "https://github.com/acme/demo-api", Commit: commitA, Ref: "refs/heads/main"},
		BuilderID: "https://github.com/actions/runner", RunURL: "https://github.com/acme/demo-api/actions/runs/1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The provenance names what other jobs have made of the source, by digest and run.
func TestProvenanceNamesPreparedFiles(t *testing.T) {
	t.Parallel()
	const run, digest = "https://github.com/acme/demo-api/actions/runs/7/attempts/1", "sha256:4242"
	predicate, err := ProvenancePredicate(BuildRecord{Prepared: digest}, Builder{InvocationID: run})
	if err != nil {
		t.Fatal(err)
	}
	var p provenance
	if err := json.Unmarshal(predicate, &p); err != nil {
		t.Fatal(err)
	}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		if d.Name == "prepared" && d.URI == run && d.Digest["sha256"] == strings.TrimPrefix(digest, "sha256:") {
			return
		}
	}
	t.Errorf("dependencies %+v, want the prepared files", p.BuildDefinition.ResolvedDependencies)
}
