package roots

import (
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Environment is an environment of GitHub, and the roots that are its own.
type Environment struct {
	config.TerraformEnvironment
	Roots []Root
}

// Environments divides roots by their environments, in their order. It refuses one
// environment with two plan roles: a job has one.
func Environments(list []Root, rules config.Terraform) (each []Environment, err error) {
	at := make(map[string]int)
	for _, r := range list {
		e := rules.Environment(r.Dir, r.Workspace)
		i, known := at[e.Name]
		if !known {
			i = len(each)
			at[e.Name], each = i, append(each, Environment{TerraformEnvironment: e})
		}
		if each[i].PlanRole != e.PlanRole {
			return nil, outcome.Refusedf("terraform.environments gives %s two plan roles: give each environment one", e.Name)
		}
		each[i].Roots = append(each[i].Roots, r)
	}
	return each, nil
}
