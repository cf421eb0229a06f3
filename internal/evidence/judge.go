package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// clockSkew is how far ahead of now a scan may claim to be.
const clockSkew = 10 * time.Minute

// Judge decides whether an image with this evidence passes the policy: one
// reason for each kind of record that the policy requires, and one for the
// source where it names one and evidence of it is there.
//
// A record counts only if the policy trusts its signer, it names the digest that
// is judged itself, and, for an identity of a workflow, that workflow ran for the
// application's source. Records about platforms never add up to an index: who
// put those platforms together is what the index's own signature says.
func Judge(e Evidence, p Policy, now time.Time) Decision {
	return newJudgement(e, p, now).decision()
}

// judgement is a decision under way, and what it rests on.
type judgement struct {
	e   Evidence
	p   Policy
	now time.Time

	accepted map[Kind][]Record // newest first
	rejected map[Kind][]string // why records do not count

	signature, provenance, sbom, scan *Record // that the decision rests on
	build                             Build   // of provenance
	report                            *ScanReport
	commits                           string        // what is wrong with the source commits; empty if nothing
	packages                          map[*byte]int // of the SBOMs that count, by their document
}

func newJudgement(e Evidence, p Policy, now time.Time) *judgement {
	j := &judgement{
		e: e, p: p, now: now, accepted: make(map[Kind][]Record), rejected: make(map[Kind][]string), packages: make(map[*byte]int),
	}
	for _, problem := range e.Problems {
		j.reject(problem.Kind, problem.Detail)
	}
	for _, r := range e.Records {
		if ok, why := p.Trusts(r.Signer); !ok {
			j.reject(r.Kind, fmt.Sprintf("one by %s does not count: %s", r.Signer.Name(), why))
			continue
		}
		if !slices.Contains(r.Subjects, e.Image.Digest()) {
			j.reject(r.Kind, fmt.Sprintf(
				"one by %s does not count: it is about %s, and not about the image itself", r.Signer.Name(), j.partsOf(r),
			))
			continue
		}
		if why := cmp.Or(j.tooOld(r), j.unusable(r)); why != "" {
			j.reject(r.Kind, fmt.Sprintf("one by %s does not count: %s", r.Signer.Name(), why))
			continue
		}
		j.accepted[r.Kind] = append(j.accepted[r.Kind], r)
	}
	j.choose()
	return j
}

func (j *judgement) reject(kind Kind, why string) {
	if !slices.Contains(j.rejected[kind], why) {
		j.rejected[kind] = append(j.rejected[kind], why)
	}
}

// partsOf names what of the image a record is about.
func (j *judgement) partsOf(r Record) string {
	var parts []string
	for platform, digest := range j.e.Platforms {
		if slices.Contains(r.Subjects, digest) {
			parts = append(parts, platform)
		}
	}
	if len(parts) == 0 {
		return "something else"
	}
	slices.Sort(parts)
	return text.List(parts, 5)
}

// tooOld says why a record no longer counts, whatever it says.
func (j *judgement) tooOld(r Record) string {
	allowed := j.p.RecordAge[r.Kind]
	switch {
	case allowed == 0:
		return ""
	case r.SignedAt.IsZero():
		return fmt.Sprintf(
			"no log or timestamp authority says when it was signed, and the policy takes none older than %s",
			text.Duration(allowed),
		)
	case j.now.Sub(r.SignedAt) > allowed:
		return fmt.Sprintf("it was signed %s, longer ago than the %s allowed", text.Time(r.SignedAt), text.Duration(allowed))
	}
	return ""
}

// unsigned names the signers of the policy of which no signature counts.
func (j *judgement) unsigned() []string {
	var missing []string
	add := func(name string, signed func(Signer) bool) {
		if !slices.ContainsFunc(j.accepted[Signature], func(r Record) bool { return signed(r.Signer) }) {
			missing = append(missing, name)
		}
	}
	for _, rule := range j.p.Signers {
		add(rule.Subject(), func(s Signer) bool { return s.Key == "" && j.p.untrusted(rule, s) == "" })
	}
	for _, key := range j.p.Keys {
		add("key "+key, func(s Signer) bool { return s.Key == key })
	}
	return missing
}

// unusable says why a record by a trusted signer does not count.
func (j *judgement) unusable(r Record) string {
	switch r.Kind {
	case Provenance:
		return j.unusableProvenance(r)
	case Scan:
		return j.unusableScan(r)
	case SBOM:
		return j.unusableSBOM(r)
	}
	return ""
}

func (j *judgement) unusableProvenance(r Record) string {
	b, err := r.Build()
	if err != nil {
		return err.Error()
	}
	if j.p.Source != "" && b.Source.Repository == "" {
		return "it does not say from which repository the image was built"
	}
	source, known := j.p.withoutServer(b.Source.Repository)
	if j.p.Source != "" && (!known || source != j.p.Source) {
		return fmt.Sprintf("it says built from %s, and the application is built from %s", b.Source.Repository, j.p.Source)
	}
	if r.Signer.Identity != "" && b.BuilderID != r.Signer.Identity {
		return fmt.Sprintf("it says built by %.200s, and its signer is another", orUnknown(b.BuilderID))
	}
	if len(j.p.Builders) > 0 && !slices.ContainsFunc(j.p.Builders, func(pattern string) bool { return matchGlob(pattern, b.BuilderID) }) {
		return fmt.Sprintf("it says built by %.200s, and the policy takes %s", orUnknown(b.BuilderID), text.List(j.p.Builders, 5))
	}
	if b.FinishedAt.After(j.now.Add(clockSkew)) {
		return fmt.Sprintf("it says that the build ended at %s, which is still to come", text.Time(b.FinishedAt))
	}
	if r.Signer.SourceCommit != "" && b.Source.Commit != "" && b.Source.Commit != r.Signer.SourceCommit {
		return fmt.Sprintf(
			"it says built from commit %s, and its signer ran for %s", shortCommit(b.Source.Commit),
			shortCommit(r.Signer.SourceCommit),
		)
	}
	return ""
}

// choose picks the records that the decision rests on: signature and
// provenance of one source commit, the newest SBOM, the newest scan.
func (j *judgement) choose() {
	j.signature, j.provenance = first(j.accepted[Signature]), first(j.accepted[Provenance])
	j.sbom = first(j.accepted[SBOM])
	if j.signature != nil && j.provenance != nil {
		j.choosePair()
	}
	if j.provenance != nil {
		j.build, _ = j.provenance.Build() // unusable said that it can be read
	}
	for i, r := range j.accepted[Scan] {
		report, err := r.ScanReport()
		report = j.p.judged(report)
		if err == nil && (j.report == nil || report.FinishedAt.After(j.report.FinishedAt)) {
			j.scan, j.report = &j.accepted[Scan][i], &report
		}
	}
}

// choosePair looks for the newest signature and provenance that agree on the
// commit: the same digest may have been built, and signed, of several.
func (j *judgement) choosePair() {
	for i := range j.accepted[Provenance] {
		for k := range j.accepted[Signature] {
			p, s := &j.accepted[Provenance][i], &j.accepted[Signature][k]
			if a, b := commitOf(*p), commitOf(*s); a == "" || b == "" || a == b {
				j.provenance, j.signature = p, s
				return
			}
		}
	}
	j.commits = fmt.Sprintf(
		"it is of commit %s, and the signature of %s", shortCommit(commitOf(*j.provenance)), shortCommit(commitOf(*j.signature)),
	)
}

func commitOf(r Record) string {
	if r.Signer.SourceCommit != "" {
		return r.Signer.SourceCommit
	}
	if b, err := r.Build(); err == nil {
		return b.Source.Commit
	}
	return ""
}

func first(records []Record) *Record {
	if len(records) == 0 {
		return nil
	}
	return &records[0]
}

func (j *judgement) decision() Decision {
	require := j.p.Require
	if require == nil { // a policy that nobody wrote lets nothing pass unseen
		require = Kinds()
	}
	var reasons []Reason
	for _, kind := range Kinds() {
		if slices.Contains(require, kind) {
			reasons = append(reasons, j.reason(kind))
		}
	}
	if len(require) == 0 {
		reasons = append(reasons, Reason{Rule: "policy", State: Met, Detail: "requires no record"})
	}
	if r, ok := j.sourceReason(); ok {
		reasons = append(reasons, r)
	}
	return Decide(reasons...)
}

func (j *judgement) reason(kind Kind) Reason {
	if len(j.accepted[kind]) == 0 {
		return j.missing(kind)
	}
	switch kind {
	case Signature:
		if missing := j.unsigned(); j.p.AllSign && len(missing) > 0 {
			return Reason{
				Rule: string(kind), State: Refused,
				Detail: "no signature that counts by " + text.List(missing, 3) + ", and every signer has to sign",
				Remedy: "let the others sign too, or set policy.signedBy to any",
			}
		}
		return met(kind, describeSigner(*j.signature))
	case Provenance:
		if j.commits != "" {
			return Reason{
				Rule: string(kind), State: Refused, Detail: "the provenance does not fit: " + j.commits,
				Remedy: "build and sign in one run of the workflow",
			}
		}
		return met(kind, j.describeBuild())
	case SBOM:
		return met(kind, text.Count(j.packages[&j.sbom.Predicate[0]], "package"))
	default:
		return j.judgeScan()
	}
}

func (j *judgement) missing(kind Kind) Reason {
	remedy := map[Kind]string{
		Signature:  "sign it with waybill sign, in a workflow that the policy trusts",
		Provenance: "sign it with waybill sign --build-record, given the record of waybill build",
		SBOM:       "sign it with waybill sign --documents, given the documents of waybill scan",
		Scan:       "scan it with waybill scan --documents and attest the report with waybill sign --documents",
	}[kind]
	detail := "no " + string(kind) + " record"
	if why := j.rejected[kind]; len(why) > 0 {
		detail += " that counts: " + text.List(why, 3)
	}
	return Reason{Rule: string(kind), State: Refused, Detail: detail, Remedy: remedy}
}

// sourceReason says where the image is from, where that is known or can be
// asked for: with no trusted record at all, the missing ones say enough.
func (j *judgement) sourceReason() (Reason, bool) {
	if j.p.Source == "" || j.signature == nil && j.provenance == nil {
		return Reason{}, false
	}
	if j.provenance != nil || j.signature.Signer.SourceRepository != "" { // both were compared with the policy's source
		detail := j.p.Source
		if commit := j.source().Commit; commit != "" {
			detail += " at " + shortCommit(commit)
		}
		return Reason{Rule: "source", State: Met, Detail: detail}, true
	}
	signer := "a signature with a key"
	if j.signature.Signer.Key == "" {
		signer = "the certificate of " + j.signature.Signer.Identity
	}
	return Reason{
		Rule: "source", State: Refused,
		Detail: signer + " does not say what the image was built from; the application is built from " + j.p.Source,
		Remedy: "attest the provenance with waybill sign --build-record, or sign keyless",
	}, true
}

// source is what the image was built from: what the signer's certificate says,
// else the provenance.
func (j *judgement) source() Source {
	for _, r := range []*Record{j.signature, j.provenance} {
		if r != nil && r.Signer.SourceRepository != "" {
			source := Source{Repository: r.Signer.SourceRepository, Commit: r.Signer.SourceCommit, Ref: r.Signer.SourceRef}
			if source.Commit == j.build.Source.Commit {
				source.CommittedAt = j.build.Source.CommittedAt
			}
			return source
		}
	}
	return j.build.Source
}

func met(kind Kind, detail string) Reason {
	return Reason{Rule: string(kind), State: Met, Detail: detail}
}

func describeSigner(r Record) string {
	text := r.Signer.Name()
	if source := strings.TrimPrefix(r.Signer.SourceRepository, DefaultServer+"/"); source != "" {
		text += ", source " + source
	}
	if r.LogIndex != nil {
		text += fmt.Sprintf(", log index %d", *r.LogIndex)
	}
	return text
}

func (j *judgement) describeBuild() string {
	var parts []string
	if url := j.runURL(); url != "" {
		parts = append(parts, url)
	} else if j.build.BuilderID != "" {
		parts = append(parts, "by "+j.build.BuilderID)
	}
	if j.build.Source.Dirty { // as after generating code in the job: said, and for people to judge
		parts = append(parts, "some files differ from the commit")
	}
	for _, base := range j.build.BaseImages {
		parts = append(parts, "base image "+base.Name+"@"+shortDigest(base.Digest))
	}
	if len(parts) == 0 {
		return "by " + j.provenance.Signer.Name()
	}
	return text.List(parts, 4)
}

func (j *judgement) runURL() string {
	for _, r := range []*Record{j.signature, j.provenance} {
		if r != nil && r.Signer.RunURL != "" {
			return r.Signer.RunURL
		}
	}
	return j.build.RunURL
}
