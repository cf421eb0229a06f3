package summary

import (
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/strictjson"
	"github.com/waybill-dev/waybill/internal/text"
)

// ChangeDifference is a resource or output of which two plans say different
// things.
type ChangeDifference struct {
	Address  string `json:"address"`
	Approved string `json:"approved"`
	Now      string `json:"now"`
}

// String says it in a line.
func (d ChangeDifference) String() string {
	return text.Line(d.Address) + ": approved: " + d.Approved + "; now: " + d.Now
}

const nothing = "nothing"

// DifferentChanges says of which addresses two plans of a root say different
// things. Values are not shown: those that matter here may be secret.
func DifferentChanges(approved, now *terraform.Plan, secrets *redact.Secrets) []ChangeDifference {
	return different(changesByAddress(approved, false), changesByAddress(now, false), secrets)
}

// DifferentRefresh does the same for plans that bring the state up to date: what changed
// outside is what they do.
func DifferentRefresh(approved, now *terraform.Plan, secrets *redact.Secrets) []ChangeDifference {
	return different(changesByAddress(approved, true), changesByAddress(now, true), secrets)
}

func different(before, after map[string]addressed, secrets *redact.Secrets) []ChangeDifference {
	addresses := slices.Sorted(maps.Keys(before))
	for address := range after {
		if _, known := before[address]; !known {
			addresses = append(addresses, address)
		}
	}
	slices.Sort(addresses)
	var differences []ChangeDifference
	for _, address := range addresses {
		a, b := before[address], after[address]
		d := ChangeDifference{Address: secrets.Redact(address), Approved: a.verb(), Now: b.verb()}
		switch {
		case d.Approved != d.Now:
		case a.canonical != b.canonical:
			d.Now += ", with other values"
		default:
			continue
		}
		differences = append(differences, d)
	}
	return differences
}

// addressed is what a plan says of one address.
type addressed struct {
	action    string
	canonical string
}

func (a addressed) verb() string {
	if a.action == "" {
		return nothing
	}
	return verbs[a.action]
}

func changesByAddress(p *terraform.Plan, refresh bool) map[string]addressed {
	found := make(map[string]addressed)
	add := func(address string, c *terraform.Change) {
		if c == nil {
			return
		}
		action := actionOf(c.Actions)
		if action == Read {
			return
		}
		if action == "" && c.Importing != nil {
			action = Import
		}
		if action == "" {
			return
		}
		canonical, err := strictjson.Canonical(c)
		if err != nil {
			canonical = []byte(err.Error())
		}
		found[address] = addressed{action: action, canonical: string(canonical)}
	}
	for _, r := range p.ResourceChanges {
		address := r.Address
		if r.DeposedKey != "" {
			address += " (deposed " + r.DeposedKey + ")"
		}
		add(address, r.Change)
	}
	for _, r := range p.ResourceDrift {
		if refresh {
			add(r.Address+" (as it is)", r.Change)
		}
	}
	for name, c := range p.OutputChanges {
		add("output "+name, c)
	}
	return found
}
