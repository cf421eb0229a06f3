package starter

import (
	"fmt"
	"regexp"
	"strings"
)

// restoreDrill is the one workflow that goes through the environments.
const restoreDrill = workflowDir + "restore-drill.yml"

var (
	drillEntry = regexp.MustCompile(`^ +- \{env: (dev|staging|prod),`)
	drillRoles = regexp.MustCompile(`(?m)^( +)ROLE_DEV: (.*)\n +ROLE_STAGING: .*\n +ROLE_PROD: .*\n`)
	drillCases = regexp.MustCompile(`\bdev\) role=\$ROLE_DEV ;; staging\) role=\$ROLE_STAGING ;; prod\) role=\$ROLE_PROD ;;`)
	drillNames = regexp.MustCompile(`…_DEV, …_STAGING, …_PROD`)
)

// drill fills in the restore drill: an entry of its matrix, a variable and a
// role for each environment. What is made here stands aside while the rest is
// filled in, so that no name is taken for the example's.
func (n Names) drill(text string) string {
	each := func(separator string, one func(env, variable string) string) string {
		var list []string
		for _, env := range n.Environments {
			list = append(list, one(env, strings.ToUpper(strings.ReplaceAll(env, "-", "_"))))
		}
		return strings.Join(list, separator)
	}
	var aside []string
	for _, c := range []struct {
		what *regexp.Regexp
		with func(m []string) string
	}{
		{drillRoles, func(m []string) string {
			return each("", func(_, variable string) string {
				return m[1] + "ROLE_" + variable + ": " + strings.ReplaceAll(m[2], "DEV", variable) + "\n"
			})
		}},
		{drillCases, func([]string) string {
			return each(" ", func(env, variable string) string { return env + ") role=$ROLE_" + variable + " ;;" })
		}},
		{drillNames, func([]string) string {
			return each(", ", func(_, variable string) string { return "…_" + variable })
		}},
	} {
		text = c.what.ReplaceAllStringFunc(text, func(match string) string {
			aside = append(aside, c.with(c.what.FindStringSubmatch(match)))
			return fmt.Sprintf("\x00%d\x00", len(aside)-1)
		})
	}
	text = n.items(text, drillEntry, scope{environments: true, app: true, at: -1})
	for i, made := range aside {
		text = strings.ReplaceAll(text, fmt.Sprintf("\x00%d\x00", i), made)
	}
	return text
}
