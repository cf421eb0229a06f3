package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Sources are where the rest is read.
type Sources struct {
	Signer   *sigstore.Signer
	Verifier *sigstore.Verifier
	Registry func(host string) *registry.Client
	API      *github.Client
	GitHub   github.Repository // zero for a local directory
	Check    string            // context of the status of the check
	// Terraform are signed records of the terraform gate.
	Terraform [][]byte
}

// Gather reads evidence, pull requests and records, and signs the archive.
func (w *Work) Gather(ctx context.Context, from Sources) (*Archive, error) {
	if from.GitHub.Name == "" {
		w.gap("pull requests, reviews and merges are not known: the repository was read from a directory")
	}
	proofs := make(map[imageref.Ref]*stored)
	for i := range w.doc.Deployments {
		d := &w.doc.Deployments[i]
		if err := w.proof(ctx, from, d, proofs); err != nil {
			return nil, err
		}
		if err := w.judge(ctx, d); err != nil {
			return nil, err
		}
		if err := w.merged(ctx, from, d); err != nil {
			return nil, err
		}
	}
	for _, data := range from.Terraform {
		record, err := terraform(from.Verifier, data)
		if err != nil {
			return nil, err
		}
		record.File = w.archive.add(bundles, data)
		w.doc.Terraform = append(w.doc.Terraform, record)
	}
	if len(from.Terraform) == 0 {
		w.gap("no signed records of the terraform gate were given: applies and their approvals are not in this audit")
	}
	if err := w.archive.setDocument(w.doc); err != nil {
		return nil, err
	}
	return w.archive, w.archive.Sign(ctx, from.Signer)
}

// stored is what the registry has of an image.
type stored struct {
	evidence evidence.Evidence
	manifest []byte
	list     []collect.Stored
}

// proof reads the evidence of a deployment and keeps it in the archive.
func (w *Work) proof(ctx context.Context, from Sources, d *Deployment, known map[imageref.Ref]*stored) error {
	cfg, ref := w.configs[d.Commit], d.Step.Image
	if cfg == nil {
		return nil
	}
	s := known[ref]
	if s == nil {
		s = new(stored)
		known[ref] = s
		client := from.Registry(ref.Registry())
		keep := func(one collect.Stored) { s.list = append(s.list, one) }
		deps := collect.Deps{Registry: client, Verifier: from.Verifier, Keep: keep}
		e, err := collect.Collect(ctx, deps, ref)
		switch {
		case registry.IsNotFound(err): // said below
		case err != nil:
			return fmt.Errorf("read the evidence of %s: %w", ref, err)
		default:
			m, err := client.Manifest(ctx, ref)
			if err != nil {
				return fmt.Errorf("read %s: %w", ref, err)
			}
			s.evidence, s.manifest = e, m.Raw
			if e.Unread != "" {
				w.gap("not everything beside %s was read: %s", ref, e.Unread)
			}
		}
	}
	if s.manifest == nil {
		w.gap("%s, which ran of %s, is gone from the registry: its evidence is not known", ref, d.App)
		return nil
	}
	if len(s.evidence.Records) == 0 {
		w.gap("%s, which ran of %s, has no signed record that counts", ref, d.App)
	}
	data, err := w.repo.File(ctx, d.Commit, config.FileName)
	if err != nil {
		return err
	}
	d.Policy = w.archive.add(policies, data)
	p := &Proof{
		Manifest: w.archive.add(manifests, s.manifest), Platforms: s.evidence.Platforms, Manifests: s.evidence.Manifests,
		Records: []Record{},
	}
	for _, one := range s.list {
		p.Records = append(p.Records, Record{File: w.archive.add(bundles, one.Data), Stored: one})
	}
	again, err := collect.Again(ctx, from.Verifier, s.evidence, s.list)
	if err != nil {
		return err
	}
	p.Waybill = d.asOf(again, cfg, w.doc.Env, w.doc.Server)
	d.Proof = p
	return nil
}

// merged finds who let a deployment in.
func (w *Work) merged(ctx context.Context, from Sources, d *Deployment) error {
	entries, err := w.repo.Log(ctx, d.Commit, "", 1)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		d.Reason = reason(entries[0].Message)
	}
	if from.GitHub.Name == "" {
		return nil
	}
	list, err := from.API.PullsOfCommit(ctx, from.GitHub, d.Commit)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Merged && p.BaseRef == w.doc.Branch {
			d.Merge, err = pull(ctx, from, p.Number)
			return err
		}
	}
	direct := d.Verb == history.Bump || d.Verb == history.Promote // environments with promotion: auto
	if cfg := w.configs[d.Commit]; direct && cfg != nil {
		env, err := cfg.Environment(w.doc.Env)
		direct = err == nil && env.Promotion == config.Auto
	}
	w.gap("no pull request is known for commit %s, which brought %s %s", d.Commit, d.App, d.Step.Image.Digest())
	if !direct {
		d.BreakGlass = strings.TrimPrefix(d.BreakGlass+"; it came without a pull request, by a commit of "+d.By, "; ")
	}
	return nil
}

func pull(ctx context.Context, from Sources, number int) (*Pull, error) {
	p, err := from.API.Pull(ctx, from.GitHub, number)
	if err != nil {
		return nil, err
	}
	found := &Pull{
		Number: p.Number, URL: p.URL, Author: p.Author, MergedBy: p.MergedBy, MergedAt: p.MergedAt.UTC(), Head: p.HeadSHA,
		Reviews: []Review{},
	}
	reviews, err := from.API.Reviews(ctx, from.GitHub, number)
	if err != nil {
		return nil, err
	}
	for _, r := range reviews {
		found.Reviews = append(found.Reviews, Review{By: r.Author, State: r.State, Of: r.CommitID, At: r.Submitted.UTC()})
	}
	statuses, err := from.API.Statuses(ctx, from.GitHub, p.HeadSHA)
	if err != nil {
		return nil, err
	}
	for _, s := range statuses {
		if s.Context == from.Check {
			found.Check = s.State + ": " + s.Description
		}
	}
	return found, nil
}

// ReadTerraform reads records in files, and what lies beside sealed plans in a registry.
func (from *Sources) ReadTerraform(ctx context.Context, given []string) error {
	for _, name := range given {
		ref, err := imageref.Parse(strings.TrimPrefix(name, "oci://"))
		if err != nil {
			data, err := os.ReadFile(name)
			if err != nil {
				return outcome.Usagef("--terraform-record: %w", err)
			}
			from.Terraform = append(from.Terraform, data)
			continue
		}
		kept, err := from.Registry(ref.Registry()).Attached(ctx, ref, sigstore.MediaTypeBundlePrefix)
		if err != nil {
			return err
		}
		for _, k := range kept {
			from.Terraform = append(from.Terraform, k.Data)
		}
	}
	return nil
}

// terraformTypes begins the types of the terraform gate's records.
const terraformTypes = "https://waybill.dev/terraform-"

// terraform reads a signed record of the terraform gate.
func terraform(v *sigstore.Verifier, data []byte) (Terraform, error) {
	verified, err := v.Bundle(data, nil)
	if err != nil {
		return Terraform{}, fmt.Errorf("read a record of the terraform gate: %w", err)
	}
	var s evidence.Statement
	if err := json.Unmarshal(verified.Payload, &s); err != nil {
		return Terraform{}, fmt.Errorf("read a record of the terraform gate: %w", err)
	}
	if !strings.HasPrefix(s.PredicateType, terraformTypes) || len(s.Subject) == 0 {
		return Terraform{}, fmt.Errorf("read a record of the terraform gate: %.100q is no type of one", s.PredicateType)
	}
	return Terraform{
		Type: s.PredicateType, Fingerprint: s.Subject[0].Digest["sha256"], Signer: verified.Signer, SignedAt: verified.SignedAt,
		Record: s.Predicate,
	}, nil
}
