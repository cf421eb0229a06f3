//go:build goexperiment.jsonv2

package trivy

import (
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/evidence"
)

var usesSudo = regexp.MustCompile(`(^|[\s;&|(])sudo\s`)

// misconfigurations are what Trivy's checks of Dockerfiles find that an image's
// configuration shows too, under their names. Trivy's engine for them would link
// Open Policy Agent, Helm and Terraform; secrets (DS-0031) are found as such.
// https://github.com/aquasecurity/trivy-checks/tree/main/checks/docker
func misconfigurations(config v1.ConfigFile) (found []evidence.Misconfiguration) {
	user, _, _ := strings.Cut(config.Config.User, ":")
	if user == "" || user == "root" || strings.Trim(user, "0") == "" {
		found = append(found, evidence.Misconfiguration{ID: "DS-0002", Title: "it runs as root: name another USER in the Dockerfile"})
	}
	for port := range config.Config.ExposedPorts {
		if number, _, _ := strings.Cut(port, "/"); number == "22" {
			found = append(found, evidence.Misconfiguration{ID: "DS-0004", Title: "it exposes port 22, which is for SSH"})
			break
		}
	}
	for _, step := range config.History {
		run := strings.HasPrefix(step.CreatedBy, "RUN ") || strings.HasPrefix(step.CreatedBy, "/bin/sh -c ") &&
			!strings.HasPrefix(step.CreatedBy, "/bin/sh -c #(nop)")
		if run && usesSudo.MatchString(step.CreatedBy) {
			found = append(found, evidence.Misconfiguration{ID: "DS-0010", Title: "its build uses sudo"})
			break
		}
	}
	return found
}
