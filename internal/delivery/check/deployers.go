package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// deployers are what deploys the rest, by group and kind: what goes with one is
// everything that it deployed.
var deployers = []string{
	"argoproj.io/Application", "argoproj.io/ApplicationSet", "kustomize.toolkit.fluxcd.io/Kustomization", "helm.toolkit.fluxcd.io/HelmRelease",
}

func deploys(o render.Object) bool {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	return slices.Contains(deployers, group+"/"+o.Kind)
}

// prunedByDeployer reports deployers that a changed file of platform/ or
// clusters/ had, and that are nowhere there any more.
func (s *session) prunedByDeployer(file string) {
	kept := make(map[string]bool)
	for _, o := range manifestsOf(file, s.head.Files[file]) {
		kept[o.ID()] = true
	}
	for _, o := range manifestsOf(file, s.base.Files[file]) {
		if deploys(o) && !kept[o.ID()] && !s.elsewhere(o.ID()) {
			s.weaker(file, 0, fmt.Sprintf("%s goes, and what it deploys", o))
		}
	}
}

// elsewhere reports whether a manifest of the head has the object.
func (s *session) elsewhere(id string) bool {
	for file, data := range s.head.Files {
		if admission.Reads(file) && slices.ContainsFunc(manifestsOf(file, data), func(o render.Object) bool { return o.ID() == id }) {
			return true
		}
	}
	return false
}
