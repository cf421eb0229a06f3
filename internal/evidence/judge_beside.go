package evidence

import (
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

const besideRemedy = "take secrets out of the image and replace them at their service, update the base image, change the Dockerfile, " +
	"use another package, scan it again; or change policy.scan (secrets, endOfLife, misconfiguration, licenses)"

// beside judges what a scan finds beside vulnerabilities: what refuses, and what is
// only noted. A report that does not say that it looked is refused where the policy
// refuses what it would have found.
func (p Policy) beside(r ScanReport, now time.Time) (refused, notes []string) {
	licenses := Off
	if len(p.Licenses) > 0 {
		licenses = Refuse
	}
	for _, check := range []struct {
		name   string
		stance Stance
		found  []string
		none   string
	}{
		{CheckSecrets, p.Secrets, r.SecretLines(), "its report does not say whether the image holds secrets"},
		{CheckEndOfLife, p.EndOfLife, r.endOfLife(), "its report does not say whether the distribution is still supported"},
		{
			CheckMisconfiguration, p.Misconfiguration, r.MisconfigurationLines(),
			"its report does not say whether the image's configuration was looked at",
		},
		{CheckLicenses, licenses, p.refusedLicenses(r, now), "its report does not say under which licences the packages are"},
	} {
		switch {
		case check.stance == Off:
		case check.stance == Refuse && !slices.Contains(r.Checked, check.name):
			refused = append(refused, check.none)
		case check.stance == Refuse:
			refused = append(refused, check.found...)
		default:
			notes = append(notes, check.found...)
		}
	}
	return refused, notes
}

// Beside is all that a scan finds beside vulnerabilities, whether it refuses or is noted.
func (p Policy) Beside(r ScanReport, now time.Time) []string {
	refused, notes := p.beside(r, now)
	return append(refused, notes...)
}

// SecretLines says in one line which secrets there are, without their values;
// none if there is none.
func (r ScanReport) SecretLines() []string {
	var where []string
	for _, p := range r.Platforms {
		for _, s := range p.Secrets {
			if line := s.String(); !slices.Contains(where, line) {
				where = append(where, line)
			}
		}
	}
	if len(where) == 0 {
		return nil
	}
	return []string{text.Count(len(where), "secret") + " in the image: " + text.List(where, 5)}
}

// String names the rule and the place.
func (s Secret) String() string {
	place := text.OneLine(s.Target)
	if s.Line > 0 {
		place += fmt.Sprintf(":%d", s.Line)
	}
	return text.OneLine(s.Rule) + " (" + place + ")"
}

// MisconfigurationLines says what the image's configuration should not have; none if
// there is nothing.
func (r ScanReport) MisconfigurationLines() (lines []string) {
	for _, p := range r.Platforms {
		for _, m := range p.Misconfigurations {
			if line := text.OneLine(m.ID) + ": " + text.OneLine(m.Title); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func (r ScanReport) endOfLife() []string {
	var systems []string
	for _, p := range r.Platforms {
		if name := text.OneLine(p.OS); p.EndOfLife && !slices.Contains(systems, name) {
			systems = append(systems, name)
		}
	}
	if len(systems) == 0 {
		return nil
	}
	return []string{text.List(systems, 5) + " is no longer supported by its distribution, so new vulnerabilities are not found in it"}
}
