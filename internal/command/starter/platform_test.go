package starter_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/config"
)

// For another platform, names are filled in as for AWS, and an account is neither
// asked for nor left to be replaced.
func TestPlatformsFillNamesIn(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{starter.Kubernetes, starter.Kubeadm} {
		n := umbrella
		n.Platform = platform
		for name, data := range written(t, starter.Config, n) {
			if data == string(config.Schema) { // the same for everybody
				continue
			}
			if found := exampleWord.FindString(name + protocol.ReplaceAllString(data, "")); found != "" {
				t.Errorf("%s: %s still names the example: %q", platform, name, found)
			}
		}
		n.Account, n.Domain = "", ""
		if left := strings.Join(n.Default().Left(), ", "); left != "the domain umbrella-corp.example" {
			t.Errorf("%s: left to be replaced: %q", platform, left)
		}
		for name := range written(t, starter.Infra, n) {
			if strings.HasPrefix(name, "infra/aws/") || strings.HasPrefix(name, "bootstrap/") {
				t.Errorf("%s: the infrastructure repository has %s", platform, name)
			}
		}
	}
}

// The namespaces of a platform are those that are taken.
func TestNamesAreFreeOnAPlatform(t *testing.T) {
	t.Parallel()
	if err := (starter.Names{Owner: "acme", App: "builds"}).Check(starter.Config); err == nil ||
		!strings.Contains(err.Error(), "--app builds: the platform has an Argo CD Application of this name") {
		t.Errorf("an Application that a cluster may choose: %v", err)
	}
	for platform, want := range map[string]string{
		starter.AWS: "--app karpenter: the platform has an Argo CD Application of this name", starter.Kubernetes: "",
	} {
		err := starter.Names{Owner: "acme", App: "karpenter", Platform: platform}.Check(starter.Config)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", platform, err, want)
		}
	}
}
