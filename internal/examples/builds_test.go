package examples_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// A cluster that takes the builders is held to the whole checklist and to the
// admission policies; who reaches a builder has a certificate and is a runner.
func TestBuilders(t *testing.T) {
	t.Parallel()
	files := exampleTree(t).with(t, "clusters/dev/kustomization.yaml", "  # - ../builds #", "  - ../builds #")
	const namespace = " - ../../../namespaces/builds"
	files = files.with(t, "clusters/dev/namespaces/kustomization.yaml", "  #"+namespace, " "+namespace)
	s := state{files, files.render(t)}
	for _, r := range checklist {
		for _, problem := range r.check(s) {
			t.Errorf("%s: %s", r.name, problem)
		}
	}
	objects, j := s.all("platform/builds"), newJudge(t)
	for _, o := range objects {
		for _, p := range s.all("platform/admission") {
			if p.Kind == "ValidatingAdmissionPolicy" && looksAt(p, o) {
				for _, message := range j.denies(t, p, o) {
					t.Errorf("%s: %s: %s", o, p.Name, message)
				}
			}
		}
	}
	for _, platform := range []string{"amd64", "arm64"} {
		name := "buildkitd-" + platform
		d, ok := find(objects, "StatefulSet", func(o render.Object) bool { return o.Name == name })
		if !ok || text(pod(d), "nodeSelector", "kubernetes.io/arch") != platform {
			t.Errorf("no builder for %s", platform)
			continue
		}
		args := list(list(pod(d), "containers")[0], "args")
		for _, want := range []string{"--tlscacert=/certs/ca.crt", "--tlscert=/certs/tls.crt", "--tlskey=/certs/tls.key"} {
			if !slices.Contains(args, any(want)) {
				t.Errorf("%s has no %s: anybody could use it", name, want)
			}
		}
		if _, ok := find(objects, "Certificate", func(o render.Object) bool {
			return text(o.Content, "spec", "secretName") == "buildkitd-tls" &&
				slices.Contains(list(o.Content, "spec", "dnsNames"), any(name+".builds.svc")) &&
				fmt.Sprint(list(o.Content, "spec", "usages")) == "[server auth digital signature]"
		}); !ok {
			t.Errorf("%s has no certificate of its name", name)
		}
	}
	in := 0
	for _, o := range s.all("namespaces/builds") {
		for _, i := range list(o.Content, "spec", "ingress") {
			in++
			from := fmt.Sprint(list(i, "from"), list(i, "ports"))
			if from != "[map[podSelector:map[matchLabels:map[actions.github.com/scale-set-name:builds]]]] [map[port:1234 protocol:TCP]]" {
				t.Errorf("%s lets in %s", o, from)
			}
		}
	}
	if in != 1 {
		t.Errorf("%d rules let something in", in)
	}
}
