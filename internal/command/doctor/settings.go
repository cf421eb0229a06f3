package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
)

// guarded are the secrets that only an environment may hold: from the
// repository's own every branch reaches them.
var guarded = []string{"WAYBILL_APP_KEY", "WAYBILL_SEAL_KEY"}

// needs reports whether a workflow cannot do what it is for without the name.
// The other names in the starter workflows are optional.
func (d *doctor) needs(environment, name string) bool {
	switch name {
	case appVariable, "WAYBILL_APP_KEY", "WAYBILL_SEAL_TO":
		return true
	case "WAYBILL_SEAL_KEY":
		return slices.Contains(d.config.Terraform().EnvironmentNames(), environment)
	case "WAYBILL_TEAM_TOKEN":
		return slices.ContainsFunc(d.config.Terraform().Rules, func(r config.TerraformRule) bool {
			return slices.ContainsFunc(r.Plan.From.Named(), func(who string) bool { return strings.Contains(who, "/") })
		})
	}
	return false
}

// named are the secrets and variables at one place.
type named struct{ secrets, vars []string }

// settings looks at secrets and variables by name.
func (d *doctor) settings(ctx context.Context) error {
	shared, known, err := d.everywhere(ctx)
	if err != nil {
		return err
	}
	clean := true
	for _, name := range d.environmentNames() {
		if slices.Contains(d.absent, name) {
			continue
		}
		inside, readable, err := d.inEnvironment(ctx, name)
		if err != nil {
			if err := d.unread("settings", "what the environment "+name+" holds", "environments: read", err); err != nil {
				return err
			}
		}
		clean = d.missing(name, inside, shared, known && readable) && clean
		clean = d.unused(name, inside) && clean
	}
	clean = d.missing("", named{}, shared, known) && clean
	for _, secret := range shared.secrets {
		if slices.Contains(guarded, secret) {
			d.add(Fail, "settings", fmt.Sprintf("keep %s in the environment alone: gh secret delete %[1]s --repo %s, or --org %s", secret,
				d.Repository, d.Repository.Owner),
				"the secret %s is one of the repository or the organisation: a workflow on any branch can read it", secret)
			clean = false
		}
	}
	if clean && known {
		d.add(OK, "settings", "", "every secret and variable that the workflows need is there")
	}
	return nil
}

// everywhere are the names that every job can read.
func (d *doctor) everywhere(ctx context.Context) (found named, known bool, err error) {
	known = true
	for _, place := range []settings.Place{settings.OfRepository, settings.OfOrganisation} {
		secrets, err := d.API.Secrets(ctx, d.Repository, place)
		if err == nil {
			found.secrets = append(found.secrets, secrets...)
			var vars map[string]string
			vars, err = d.API.Variables(ctx, d.Repository, place)
			found.vars = slices.AppendSeq(found.vars, maps.Keys(vars))
			d.acts(vars)
		}
		if err != nil {
			known = false
			return found, known, d.unread("settings", "which secrets and variables the repository has",
				"secrets: read and variables: read", err)
		}
	}
	return found, known, nil
}

func (d *doctor) inEnvironment(ctx context.Context, name string) (found named, readable bool, err error) {
	place := settings.InEnvironment(name)
	if found.secrets, err = d.API.Secrets(ctx, d.Repository, place); err != nil {
		return found, false, err
	}
	vars, err := d.API.Variables(ctx, d.Repository, place)
	if err != nil {
		return found, false, err
	}
	found.vars = slices.Collect(maps.Keys(vars))
	d.acts(vars)
	return found, true, nil
}

// acts takes note of the App that the variables name.
func (d *doctor) acts(vars map[string]string) {
	if d.appID == "" {
		d.appID = vars[appVariable]
	}
}

// missing looks at what the jobs of an environment read and find nowhere. It
// reports whether nothing is missing.
func (d *doctor) missing(environment string, inside, shared named, known bool) bool {
	if !known {
		return false
	}
	where, set := "the repository", "--repo "+d.Repository.String()
	if environment != "" {
		where, set = "the environment "+environment, set+" --env "+environment
	}
	clean := true
	look := func(kind string, read, there []string) {
		for _, name := range read {
			if slices.Contains(there, name) {
				continue
			}
			state := Warn
			switch {
			case d.needs(environment, name):
				state = Fail
			case optional()[name]:
				continue
			}
			clean = false
			d.add(state, "settings", fmt.Sprintf("gh %s set %s %s", kind, name, set), "%s has no %s %s, which its jobs read", where, kind,
				name)
		}
	}
	secrets, vars := d.read(environment)
	look("secret", secrets, append(slices.Clone(inside.secrets), shared.secrets...))
	look("variable", vars, append(slices.Clone(inside.vars), shared.vars...))
	return clean
}

// read are the names that the jobs of an environment read.
func (d *doctor) read(environment string) (secrets, vars []string) {
	for _, j := range d.jobs {
		if j.environment == environment {
			secrets, vars = append(secrets, j.secrets...), append(vars, j.vars...)
		}
	}
	slices.Sort(secrets)
	slices.Sort(vars)
	return slices.Compact(secrets), slices.Compact(vars)
}

// unused looks for what an environment holds and no job of it reads.
func (d *doctor) unused(environment string, inside named) bool {
	secrets, vars := d.read(environment)
	var idle []string
	for _, name := range inside.secrets {
		if !slices.Contains(secrets, name) {
			idle = append(idle, "secret "+name)
		}
	}
	for _, name := range inside.vars {
		if !slices.Contains(vars, name) {
			idle = append(idle, "variable "+name)
		}
	}
	if len(idle) > 0 {
		d.add(Warn, "settings", "delete it, or correct its name", "no job reads what the environment %s holds: %s", environment,
			strings.Join(idle, ", "))
	}
	return len(idle) == 0
}

// optional are the names that the starter workflows read.
func optional() map[string]bool {
	names := map[string]bool{}
	starters(func(text string) {
		for _, m := range reads.FindAllStringSubmatch(text, -1) {
			names[m[2]] = true
		}
	})
	return names
}
