package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Trust says whom to believe.
type Trust struct {
	TrustedRoot string
	Keys        [][]byte // public keys, PEM, of who may sign an audit
	Signer      string   // identity that must have signed the audit
	AnySigner   bool     // whether anybody may have signed it, in place of Signer and Keys
	Version     string   // of Waybill: a page by another one is not compared
}

// Verified is what an archive proves.
type Verified struct {
	Document Document        `json:"audit"`
	Signer   evidence.Signer `json:"signer"`
	SignedAt time.Time       `json:"signed_at,omitzero"`
	Bundles  int             `json:"bundles"`
	Problems []string        `json:"problems,omitempty"` // what does not hold
	Notes    []string        `json:"notes,omitempty"`
}

// check asks who must have signed: anybody can sign an audit keyless.
func (t Trust) check() error {
	named := len(t.Keys) > 0 || t.Signer != ""
	switch {
	case !named && !t.AnySigner:
		return outcome.Usagef("who must have signed the audit? Give --signer, such as " +
			"https://github.com/OWNER/CONFIG/.github/workflows/audit.yml@refs/heads/main, or --key: anybody can sign one keyless. " +
			"--any-signer accepts everybody, and verifies that nothing was changed since")
	case named && t.AnySigner:
		return outcome.Usagef("--any-signer accepts everybody, and --key or --signer one alone: give one of them")
	}
	return nil
}

// Verify verifies the archive's signature, every bundle in it, and that the document says
// what they say. It asks nobody but the trusted root.
func Verify(ctx context.Context, a *Archive, trust Trust) (Verified, error) {
	if err := trust.check(); err != nil {
		return Verified{}, err
	}
	v := verification{archive: a, used: map[string]bool{documentFile: true, pageFile: true, signatureFile: true}}
	if err := v.signature(trust); err != nil {
		return Verified{}, err
	}
	if err := v.document(trust); err != nil {
		return Verified{}, err
	}
	keys := slices.Clone(trust.Keys)
	for name, data := range a.files {
		if cfg, err := config.Parse(config.FileName, data); strings.HasPrefix(name, policies) && err == nil {
			keys = append(keys, cfg.PublicKeys()...)
		}
	}
	var err error
	if v.verifier, err = sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: trust.TrustedRoot, Keys: keys}); err != nil {
		return Verified{}, err
	}
	for _, d := range v.result.Document.Deployments {
		if err := v.deployment(ctx, d); err != nil {
			return Verified{}, err
		}
	}
	v.chain()
	if err := v.terraform(); err != nil {
		return Verified{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		if !v.used[name] {
			v.problem("%s is in the audit, and nothing in %s rests on it", name, documentFile)
		}
	}
	return v.result, nil
}

type verification struct {
	archive  *Archive
	verifier *sigstore.Verifier
	used     map[string]bool
	result   Verified
}

func (v *verification) problem(format string, args ...any) {
	v.result.Problems = append(v.result.Problems, fmt.Sprintf(format, args...))
}

// signature verifies who signed the archive, and that it is whole.
func (v *verification) signature(trust Trust) error {
	data, ok := v.archive.files[signatureFile]
	if !ok {
		return outcome.Refusedf("the audit is not signed: it has no %s", signatureFile)
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: trust.TrustedRoot, Keys: trust.Keys})
	if err != nil {
		return err
	}
	verified, err := verifier.Bundle(data, nil)
	switch {
	case sigstore.IsUntrusted(err):
		return outcome.Refusedf("the signature of the audit does not hold: %w", err)
	case err != nil:
		return fmt.Errorf("verify the signature of the audit: %w", err)
	}
	v.result.Signer, v.result.SignedAt = verified.Signer, verified.SignedAt
	if trust.Signer != "" && verified.Signer.Name() != trust.Signer {
		return outcome.Refusedf("the audit is signed by %s, not by %s", verified.Signer.Name(), trust.Signer)
	}
	var s evidence.Statement
	if err := strictjson.Check(verified.Payload); err != nil {
		return outcome.Refusedf("what is signed is no statement: %w", err)
	}
	if err := json.Unmarshal(verified.Payload, &s); err != nil || s.PredicateType != Schema {
		return outcome.Refusedf("what is signed is no audit, but %.100q", s.PredicateType)
	}
	signed := make(map[string]string)
	for _, subject := range s.Subject {
		signed[subject.Name] = subject.Digest["sha256"]
	}
	for name, data := range v.archive.files {
		if name != signatureFile && signed[name] != digest(data) {
			v.problem("%s was changed, or added, after the audit was signed", name)
		}
	}
	for name := range signed {
		if _, there := v.archive.files[name]; !there {
			v.problem("%.100q was taken out after the audit was signed", name)
		}
	}
	slices.Sort(v.result.Problems)
	if len(v.result.Problems) > 0 {
		return outcome.Refusedf("the audit is not what was signed: %s", strings.Join(v.result.Problems, "; "))
	}
	return nil
}

// document reads audit.json, and compares the page with it.
func (v *verification) document(trust Trust) error {
	data := v.archive.files[documentFile]
	if err := strictjson.Check(data); err != nil {
		return outcome.Refusedf("read %s: %w", documentFile, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v.result.Document); err != nil {
		return outcome.Refusedf("read %s: %w", documentFile, err)
	}
	doc := v.result.Document
	if doc.Schema != Schema {
		return outcome.Refusedf("%s is of the form %.100q; this Waybill reads %s", documentFile, doc.Schema, Schema)
	}
	if doc.Version != trust.Version {
		note := fmt.Sprintf("Waybill %s wrote the page: it was not compared with %s", doc.Version, documentFile)
		v.result.Notes = append(v.result.Notes, note)
		return nil
	}
	page, err := doc.page()
	if err != nil {
		return err
	}
	if !bytes.Equal(page, v.archive.files[pageFile]) {
		v.problem("%s does not say what %s says", pageFile, documentFile)
	}
	return nil
}

// file gives a file that the document names by its digest.
func (v *verification) file(dir, name string) ([]byte, bool) {
	data, ok := v.archive.files[name]
	if !ok || name != dir+digest(data) {
		v.problem("%.100q, which %s names, is not in the audit", name, documentFile)
		return nil, false
	}
	v.used[name] = true
	return data, true
}

// deployment computes what is proven of an image again.
func (v *verification) deployment(ctx context.Context, d Deployment) error {
	if d.Proof == nil {
		if d.Verdict != Unknown {
			v.problem("%s: %s is said to be %s, without evidence", d.App, d.ref(), d.Verdict)
		}
		return nil
	}
	manifest, ok := v.file(manifests, d.Proof.Manifest)
	policy, has := v.file(policies, d.Policy)
	if !ok || !has {
		return nil
	}
	if err := contains(manifest, d); err != nil {
		v.problem("%s: %s: %v", d.App, d.ref(), err)
		return nil
	}
	cfg, err := config.Parse(config.FileName, policy)
	if err != nil {
		v.problem("%s: the rules of %s cannot be read: %v", d.App, d.ref(), err)
		return nil
	}
	var list []collect.Stored
	for _, r := range d.Proof.Records {
		data, ok := v.file(bundles, r.File)
		if !ok {
			return nil
		}
		r.Data = data
		list, v.result.Bundles = append(list, r.Stored), v.result.Bundles+1
	}
	image := evidence.Evidence{Image: d.ref(), Platforms: d.Proof.Platforms, Manifests: d.Proof.Manifests}
	again, err := collect.Again(ctx, v.verifier, image, list)
	if err != nil {
		return fmt.Errorf("verify the evidence of %s: %w", d.ref(), err)
	}
	for _, p := range again.Problems {
		v.problem("%s: a bundle of %s does not hold: %s", d.App, d.ref(), p.Detail)
	}
	doc := v.result.Document
	if !same(d.Proof.Waybill, d.asOf(again, cfg, doc.Env, doc.Server)) {
		v.problem("%s: what is said of %s is not what its bundles say", d.App, d.ref())
	}
	if verdict, _ := verdict(d); verdict != d.Verdict {
		v.problem("%s: %s is said to be %s; by its evidence and rules it is %s", d.App, d.ref(), d.Verdict, verdict)
	} else if verdict != Allowed && d.BreakGlass == "" {
		v.problem("%s: that %s went round a rule is not said", d.App, d.ref())
	}
	return nil
}

// contains holds the parts that an image is said to have against its manifest.
func contains(manifest []byte, d Deployment) error {
	if imageref.Algorithm+digest(manifest) != d.ref().Digest() {
		return errors.New("its manifest in the audit is of another image")
	}
	parts := []string{d.ref().Digest()}
	var index struct {
		Manifests []struct {
			Digest string `json:"digest"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(manifest, &index); err != nil {
		return fmt.Errorf("read its manifest: %w", err)
	}
	for _, m := range index.Manifests {
		parts = append(parts, m.Digest)
	}
	for _, said := range slices.Concat(d.Proof.Manifests, slices.Collect(maps.Values(d.Proof.Platforms))) {
		if !slices.Contains(parts, said) {
			return fmt.Errorf("it does not hold %.80s", said)
		}
	}
	return nil
}

// same compares two waybills as documents.
func same(a, b evidence.Waybill) bool {
	one, err := json.Marshal(a)
	other, otherErr := json.Marshal(b)
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}

// chain sees that no deployment is missing between two others: each ran until the next
// one came.
func (v *verification) chain() {
	doc := v.result.Document
	last := make(map[string]Deployment)
	for _, d := range doc.Deployments {
		if before, ok := last[d.title()]; ok && !before.Until.Equal(d.Since) {
			v.problem("%s: %s ran until another came, which is not %s", d.title(), before.ref(), d.ref())
		}
		if !d.Since.Before(doc.Until) || !d.Until.IsZero() && !d.Until.After(doc.Since) {
			v.problem("%s: %s did not run in the period", d.title(), d.ref())
		}
		last[d.title()] = d
	}
	for _, app := range slices.Sorted(maps.Keys(last)) {
		if d := last[app]; !d.Until.IsZero() && d.Until.Before(doc.Until) {
			v.problem("%s: what replaced %s is missing", app, d.ref())
		}
	}
}

// terraform verifies the records of the terraform gate.
func (v *verification) terraform() error {
	for _, said := range v.result.Document.Terraform {
		data, ok := v.file(bundles, said.File)
		if !ok {
			continue
		}
		v.result.Bundles++
		proven, err := terraform(v.verifier, data)
		if sigstore.IsUntrusted(err) {
			v.problem("a record of the terraform gate does not hold: %v", err)
			continue
		}
		if err != nil {
			return err
		}
		proven.File = said.File
		one, _ := json.Marshal(said)
		other, _ := json.Marshal(proven)
		if !bytes.Equal(one, other) {
			v.problem("what is said of the terraform plan %.12s is not what its record says", said.Fingerprint)
		}
	}
	return nil
}
