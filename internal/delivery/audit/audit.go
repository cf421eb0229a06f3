// Package audit puts together what an auditor asks about an environment and a
// period: each deployment with the evidence itself, who let it in and by which rule,
// and everything that went round a rule.
//
// Invariant: what a document says of an image is computed from the bundles and the
// waybill.yaml in the same archive, so that Verify computes it again and compares. What
// is not known is a gap, in words.
//
// Reviews, merges and commits are GitHub's and git's word at the time of the audit;
// nothing but the signature of the archive vouches for them afterwards.
package audit

import (
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Schema names the form of Document.
const Schema = "https://waybill.dev/audit/v1"

// Document is what audit.json holds.
type Document struct {
	Schema     string    `json:"schema"`
	Version    string    `json:"version"` // of Waybill, that wrote it
	Repository string    `json:"repository"`
	Server     string    `json:"server,omitempty"` // root of GitHub's pages
	Branch     string    `json:"branch"`
	Commit     string    `json:"commit"` // head of the branch
	Env        string    `json:"env"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
	Made       time.Time `json:"made"`

	Deployments []Deployment `json:"deployments"` // by application, oldest first
	Holds       []Hold       `json:"holds"`
	Rules       []Rules      `json:"rules"` // changes of waybill.yaml, oldest first
	Terraform   []Terraform  `json:"terraform"`
	Gaps        []string     `json:"gaps"` // what is not known
}

// Verdicts about a deployment, by the rules as they were.
const (
	Allowed = "allowed"
	Refused = "refused" // a rule was against it: somebody went round it
	Pending = "pending" // it came before its time
	Unknown = "unknown" // the evidence is gone, or the rules cannot be read
)

// Deployment is a digest that ran in the period.
type Deployment struct {
	App  string `json:"app"`
	Part string `json:"part,omitempty"` // which image, where the application has several
	report.Step
	// Earlier says that it came before the period, and ran when that began.
	Earlier bool   `json:"earlier,omitempty"`
	Reason  string `json:"reason,omitempty"` // what the commit gives as one
	Verdict string `json:"verdict"`
	// BreakGlass says how it went round the rules; empty if it did not.
	BreakGlass string `json:"break_glass,omitempty"`
	Merge      *Pull  `json:"pull_request,omitempty"`
	// Policy is the file of the archive that holds waybill.yaml as it was.
	Policy string            `json:"policy,omitempty"`
	Order  []evidence.Reason `json:"order,omitempty"` // what order, soak and calendar said
	Proof  *Proof            `json:"evidence,omitempty"`
}

// Proof is what is proven of a digest: the waybill, and the files that it follows from.
type Proof struct {
	Manifest  string            `json:"manifest"` // file with what the digest is of
	Platforms map[string]string `json:"platforms,omitempty"`
	Manifests []string          `json:"manifests,omitempty"`
	Records   []Record          `json:"bundles"`
	Waybill   evidence.Waybill  `json:"waybill"` // judged as of the deployment
}

// Record is a signed record in the archive.
type Record struct {
	File string `json:"file"`
	collect.Stored
}

// Pull is the pull request that brought a deployment.
type Pull struct {
	Number   int       `json:"number"`
	URL      string    `json:"url"`
	Author   string    `json:"author"`
	MergedBy string    `json:"merged_by,omitempty"`
	MergedAt time.Time `json:"merged_at,omitzero"`
	Head     string    `json:"head"`
	Check    string    `json:"check,omitempty"` // what waybill/check said of the head
	Reviews  []Review  `json:"reviews"`
}

// Review is a review of a pull request.
type Review struct {
	By    string    `json:"by"`
	State string    `json:"state"`
	Of    string    `json:"commit"` // that was reviewed
	At    time.Time `json:"at"`
}

// Hold is a change of a hold.
type Hold struct {
	App    string    `json:"app"`
	At     time.Time `json:"at"`
	Lifted bool      `json:"lifted,omitempty"`
	What   string    `json:"what,omitempty"`
	By     string    `json:"by"`
	Commit string    `json:"commit"`
}

// Rules is a change of waybill.yaml, with what it takes away.
type Rules struct {
	Commit  string    `json:"commit"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Weaker  []string  `json:"weaker,omitempty"`
	Reasons []string  `json:"acknowledged,omitempty"` // CHANGE: REASON
}

// Terraform is a signed record of the terraform gate: who approved a plan, or what was
// applied.
type Terraform struct {
	File        string          `json:"file"`
	Type        string          `json:"type"`
	Fingerprint string          `json:"fingerprint"`
	Signer      evidence.Signer `json:"signer"`
	SignedAt    time.Time       `json:"signed_at,omitzero"`
	Record      json.RawMessage `json:"record"`
}

// asOf judges what was stored by the rules at the time. What was signed later was not
// known then.
func (d Deployment) asOf(e evidence.Evidence, cfg *config.Config, env, server string) evidence.Waybill {
	var then []evidence.Record
	for _, r := range e.Records {
		scan, err := r.ScanReport()
		if r.SignedAt.After(d.Since) || r.Kind == evidence.Scan && err == nil && scan.FinishedAt.After(d.Since) {
			continue
		}
		then = append(then, r)
	}
	e.Records = then
	app, err := cfg.App(d.App)
	if err != nil {
		app = config.App{Name: d.App}
	}
	policy := cfg.PolicyFor(app, env)
	policy.Server = server
	w := evidence.NewWaybill(e, policy, d.Since)
	if w.App, w.Env = d.App, env; d.Kind == report.TakeBack {
		w = rules.Returning(w)
	}
	return w
}

// title names the application, and the image where it has several.
func (d Deployment) title() string {
	if d.Part == "" {
		return d.App
	}
	return d.App + "/" + d.Part
}

// ref is the digest that was deployed.
func (d Deployment) ref() imageref.Ref { return d.Step.Image }
