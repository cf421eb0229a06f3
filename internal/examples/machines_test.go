package examples_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

const (
	firstMachine = "cluster/kubeadm/init.yaml"
	nextMachine  = "cluster/kubeadm/join.yaml"
	haproxy      = "cluster/haproxy/haproxy.cfg"
	keepalived   = "cluster/keepalived/keepalived.conf"
)

// judged gives a file to the program that reads it, and returns what that says.
func judged(t *testing.T, files tree, file string) (said string, err error) {
	t.Helper()
	at := filepath.Join(t.TempDir(), filepath.Base(file))
	// keepalived looks for the interface, which this machine need not have.
	data := bytes.ReplaceAll(files[file], []byte("router_id cp-1"), []byte("router_id cp-1\ndynamic_interfaces"))
	if err := os.WriteFile(at, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c := map[string]process.Command{
		"kubeadm":    {Path: "kubeadm", Args: []string{"config", "validate", "--config", at}},
		"haproxy":    {Path: "haproxy", Args: []string{"-c", "-f", at}},
		"keepalived": {Path: "keepalived", Args: []string{"--config-test", "--use-file", at}},
	}[filepath.Base(filepath.Dir(file))]
	c.Path = tooltest.Find(t, c.Path)
	var stderr bytes.Buffer
	c.Stderr, c.Env = &stderr, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	err = c.Run(t.Context())
	return stderr.String() + fmt.Sprint(err), err
}

// The machines' programs take what init writes for them, and say what is wrong where
// something is.
func TestMachinesTakeTheirConfiguration(t *testing.T) {
	t.Parallel()
	files := treeOf(t, starter.Names{Platform: starter.Kubeadm})
	for file, wrong := range map[string][3]string{
		firstMachine: {"certSANs:", "certSAN:", `unknown field "apiServer.certSAN"`},
		nextMachine:  {"controlPlane:", "controlPlanes:", `unknown field "controlPlanes"`},
		haproxy:      {"httpchk", "httpcheck", "unknown option 'httpcheck'"},
		keepalived:   {"    priority", "    prioritys", "Unknown keyword 'prioritys'"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if said, err := judged(t, files, file); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
			said, err := judged(t, files.with(t, file, wrong[0], wrong[1]), file)
			if err == nil || !strings.Contains(said, wrong[2]) {
				t.Errorf("%s instead of %s: %v, %q, want %q", wrong[1], wrong[0], err, said, wrong[2])
			}
		})
	}
}

var (
	boundTo   = regexp.MustCompile(`(?m)^    bind (\S+):(\d+)$`)
	apiServer = regexp.MustCompile(`(?m)^    server (\S+) (\S+):6443$`)
	wayIn     = regexp.MustCompile(`(?m)^    server ingress (\S+):(80|443) send-proxy-v2$`)
	movedTo   = regexp.MustCompile(`(?m)^        (\S+)/24\b`)
)

// addresses says where the files of the machines contradict one another.
func addresses(files tree) (problems []string) {
	var machine struct {
		LocalAPIEndpoint struct{ AdvertiseAddress string }
		NodeRegistration struct{ Name string }
	}
	var cluster struct {
		ControlPlaneEndpoint string
		APIServer            struct{ CertSANs []string }
		Networking           struct{ ServiceSubnet string }
	}
	documents := strings.Split(string(files[firstMachine]), "\n---\n")
	for i, into := range []any{&machine, &cluster} {
		if err := yaml.Unmarshal([]byte(documents[i]), into); err != nil {
			return []string{err.Error()}
		}
	}
	moved := make(map[string]bool)
	for _, m := range movedTo.FindAllStringSubmatch(string(files[keepalived]), -1) {
		moved[m[1]] = true
	}
	_, port, _ := strings.Cut(cluster.ControlPlaneEndpoint, ":")
	answers := false
	for _, m := range boundTo.FindAllStringSubmatch(string(files[haproxy]), -1) {
		if !moved[m[1]] {
			problems = append(problems, fmt.Sprintf("HAProxy binds %s, which keepalived does not move", m[1]))
		}
		answers = answers || m[2] == port && strings.Contains(strings.Join(cluster.APIServer.CertSANs, " "), m[1])
	}
	if !answers || port == "6443" {
		problems = append(problems, "nothing answers at the port of "+cluster.ControlPlaneEndpoint+" with its certificate")
	}
	servers := apiServer.FindAllStringSubmatch(string(files[haproxy]), -1)
	if len(servers) != 3 || servers[0][1] != machine.NodeRegistration.Name || servers[0][2] != machine.LocalAPIEndpoint.AdvertiseAddress {
		problems = append(problems, fmt.Sprintf("HAProxy has the API servers %v, the first machine is %+v", servers, machine))
	}
	for _, s := range servers {
		if !strings.Contains(string(files[keepalived]), s[2]+"\n") {
			problems = append(problems, "keepalived does not know "+s[2])
		}
	}
	return append(problems, fixedAddress(files, cluster.Networking.ServiceSubnet)...)
}

// fixedAddress says what is wrong with the way in's cluster address. Kubernetes gives
// the first addresses of the range, at most 256, to nobody by itself.
// https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
func fixedAddress(files tree, services string) (problems []string) {
	network, err := netip.ParsePrefix(services)
	if err != nil {
		return []string{err.Error()}
	}
	found := wayIn.FindAllStringSubmatch(string(files[haproxy]), -1)
	if len(found) != 2 {
		return []string{fmt.Sprintf("HAProxy reaches the way in at %v", found)}
	}
	for _, shared := range []string{"platform/ingress/values.yaml", "platform/gateway/class.yaml"} {
		const ports = "allocateLoadBalancerNodePorts: "
		own := string(files["clusters/prod/values/ingress.yaml"])
		if strings.Contains(string(files[shared]), ports) && !strings.Contains(own, ports+"null") {
			problems = append(problems, shared+" has ports of a load balancer, which the API server refuses of a cluster address")
		}
	}
	for _, m := range found {
		at, err := netip.ParseAddr(m[1])
		first := network.Addr().As4()
		if err != nil || !network.Contains(at) || [3]byte(at.AsSlice()) != [3]byte(first[:3]) {
			problems = append(problems, fmt.Sprintf("%s is not of the static part of %s", m[1], services))
		}
		for env := range environments {
			values := string(files["clusters/"+env+"/values/ingress.yaml"]) + string(files["platform/gateway/gateway.yaml"])
			if !strings.Contains(values, "clusterIP: "+m[1]) && !strings.Contains(values, "value: "+m[1]+"}]") {
				problems = append(problems, fmt.Sprintf("%s: the way in is not at %s", env, m[1]))
			}
		}
	}
	return problems
}

func TestMachinesAgree(t *testing.T) {
	t.Parallel()
	for _, ingress := range []string{starter.Gateway, starter.Nginx} {
		if problems := addresses(treeOf(t, starter.Names{Platform: starter.Kubeadm, Ingress: ingress})); len(problems) > 0 {
			t.Errorf("%s: %q", ingress, problems)
		}
	}
	files := treeOf(t, starter.Names{Platform: starter.Kubeadm})
	if problems := addresses(files); len(problems) > 0 {
		t.Error(problems)
	}
	for _, m := range []struct{ file, old, new, want string }{
		{haproxy, "bind 10.10.0.11:443", "bind 10.10.0.12:443", "HAProxy binds 10.10.0.12, which keepalived does not move"},
		{firstMachine, ":8443", ":6443", "nothing answers at the port of k8s.acme.example:6443"},
		{firstMachine, "10.10.0.10]", "10.10.0.9]", "nothing answers at the port of k8s.acme.example:8443 with its certificate"},
		{firstMachine, "10.10.0.21", "10.10.0.31", "the first machine is"},
		{keepalived, "        10.10.0.23\n", "", "keepalived does not know 10.10.0.23"},
		{firstMachine, "10.96.0.0/12", "10.112.0.0/12", "10.96.0.80 is not of the static part of 10.112.0.0/12"},
		{haproxy, "10.96.0.80:80 ", "10.96.7.80:80 ", "10.96.7.80 is not of the static part of 10.96.0.0/12"},
		{haproxy, "10.96.0.80:80 ", "10.96.0.81:80 ", "the way in is not at 10.96.0.81"},
		{"clusters/prod/values/ingress.yaml", "allocateLoadBalancerNodePorts: null", "other: null", "which the API server refuses"},
	} {
		if got := strings.Join(addresses(files.with(t, m.file, m.old, m.new)), "; "); !strings.Contains(got, m.want) {
			t.Errorf("%s: got %q, want %q", m.new, got, m.want)
		}
	}
}

// rclone keeps files in a directory, as a bucket does.
const rclone = `#!/bin/bash
set -eu
path() { echo "${1/#store:/$BUCKETS/}"; }
case $1 in
copyto) mkdir -p "$(dirname "$(path "$3")")"; cp "$(path "$2")" "$(path "$3")" ;;
lsf) ls "$(path "$2")" ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
`

// A snapshot that a control plane ships is restored elsewhere by etcd itself.
func TestSnapshotsAreRestored(t *testing.T) {
	t.Parallel()
	files := treeOf(t, starter.Names{Platform: starter.Kubeadm})
	dir := t.TempDir()
	env := []string{
		"PATH=" + dir + ":" + os.Getenv("PATH"), "BUCKETS=" + dir, "REMOTE=store:acme-prod-etcd", "ETCDUTL=etcdctl", "ETCDCTL_API=3",
	}
	for _, program := range []string{"etcd", "etcdctl", "age", "age-keygen"} {
		if err := os.Symlink(tooltest.Find(t, program), filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{
		"rclone": []byte(rclone), "snapshot.sh": files["cluster/etcd/snapshot.sh"],
		"restore-drill.sh": files["cluster/etcd/restore-drill.sh"],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(script string) (string, error) {
		t.Helper()
		out, err := process.Command{Path: tooltest.Find(t, "bash"), Args: []string{"-euo", "pipefail", "-c", script}, Dir: dir, Env: env}.
			Output(t.Context())
		return string(out), err
	}
	if _, err := run("./restore-drill.sh"); err == nil || !strings.Contains(err.Error(), "AGE_IDENTITY: the file with the private key") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := run("age-keygen -o key 2> /dev/null; mkdir acme-prod-etcd"); err != nil {
		t.Fatal(err)
	}
	env = append(env, "AGE_IDENTITY="+filepath.Join(dir, "key"), "ENDPOINT=unix://localhost:1")
	if _, err := run("./restore-drill.sh"); err == nil || !strings.Contains(err.Error(), "store:acme-prod-etcd has no snapshot") {
		t.Errorf("without a snapshot: %v", err)
	}
	// A control plane's etcd, on sockets of this directory; what is written is what
	// an API server would.
	const member = `
etcd --data-dir "$DATA" --listen-client-urls unix://localhost:1 --advertise-client-urls unix://localhost:1 \
  --listen-peer-urls unix://localhost:2 > etcd.log 2>&1 &
server=$!
trap 'kill $server; wait $server || true; rm -f localhost:1 localhost:2' EXIT
until etcdctl --endpoints "$ENDPOINT" endpoint health > /dev/null 2>&1; do kill -0 $server; done
for key in $KEYS; do etcdctl --endpoints "$ENDPOINT" put "$key" x > /dev/null; done
AGE_RECIPIENT=$(age-keygen -y key) ./snapshot.sh
`
	out, err := run("DATA=one KEYS='/registry/namespaces/kube-system /registry/secrets/shop/backend'" + member)
	if err != nil || !strings.Contains(out, "store:acme-prod-etcd/2") {
		t.Fatalf("%q, %v", out, err)
	}
	if out, err = run("./restore-drill.sh"); err != nil || !strings.Contains(out, "| Objects | 2 |") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run("! grep -rq registry acme-prod-etcd"); err != nil {
		t.Errorf("a snapshot left the machine in the clear: %q, %v", out, err)
	}
	if _, err := run("rm acme-prod-etcd/*; DATA=two KEYS=/other" + member); err != nil {
		t.Fatal(err)
	}
	if _, err := run("./restore-drill.sh"); err == nil || !strings.Contains(err.Error(), "it is no snapshot of a cluster") {
		t.Errorf("another etcd's snapshot: %v", err)
	}
	if _, err := run("for f in acme-prod-etcd/*; do echo > $f; done; ./restore-drill.sh"); err == nil ||
		!strings.Contains(err.Error(), "age: error") {
		t.Errorf("a file that is no snapshot: %v", err)
	}
}
