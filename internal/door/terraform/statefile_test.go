package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Terraform hands the path of a local state to the kernel, which follows a link
// before it steps back.
func TestLocalStateThroughLinks(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, dir := range []string{"infra/prod/deep", "sandbox/play/own/deep", "sandbox/play/terraform.tfstate.d", ".git"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "sandbox/play/own/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"made-later": "/dev/fd/7/x"}
	for i := range 50 { // chains of links: c1 leads to the directory own
		links[fmt.Sprint("c", i+1)] = map[bool]string{true: "own", false: fmt.Sprint("c", i)}[i == 0]
	}
	for link, target := range links {
		if err := os.Symlink(target, filepath.Join(top, "sandbox/play", link)); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"lnk": "../../infra/prod/deep", "later": "../../infra/prod/not-yet.tfstate", "loop": "loop", "made": "/proc/self/cwd",
		"terraform.tfstate.d/dev": "../../../infra/prod",
	} {
		if err := os.Symlink(target, filepath.Join(top, "sandbox/play", link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path, workspace, dir, names string
		outside                     bool
	}{
		{path: "lnk/../terraform.tfstate", names: "infra/prod/terraform.tfstate", outside: true},
		{path: "own/../lnk/.././terraform.tfstate", names: "infra/prod/terraform.tfstate", outside: true},
		{path: filepath.Join(top, "sandbox/play") + "/lnk/../terraform.tfstate", names: "infra/prod/terraform.tfstate", outside: true},
		{path: "later", names: "infra/prod/not-yet.tfstate", outside: true},
		{path: "lnk/../../../.git/x", names: ".git/x", outside: true},
		{path: "missing/../terraform.tfstate", names: "sandbox/play/terraform.tfstate", outside: true},
		{path: "loop/../terraform.tfstate", outside: true},
		{path: "made/terraform.tfstate", outside: true},
		{path: "/dev/fd/../root" + top + "/infra/prod/terraform.tfstate", outside: true},
		{path: "/proc/self/root" + top + "/infra/prod/terraform.tfstate", outside: true},
		{path: "/sys/../terraform.tfstate", outside: true},
		{workspace: "x", dir: "lnk/..", outside: true},
		{workspace: "dev", names: "infra/prod/terraform.tfstate", outside: true},
		{path: "made-later", outside: true},
		{path: "/dev/shm/a.tfstate", outside: true},
		{path: "own/file/../a.tfstate", names: "sandbox/play/own/a.tfstate", outside: true},
		{path: "c41/a.tfstate", outside: true}, // the kernel follows 40
		{path: "c40/a.tfstate", names: "sandbox/play/own/a.tfstate"},
		{path: "own/deep/../a.tfstate", names: "sandbox/play/own/a.tfstate"},
		{path: "../play/a.tfstate", names: "sandbox/play/a.tfstate"},
		{path: "/srv/states/a.tfstate", names: "/srv/states/a.tfstate"},
	} {
		block, given := "backend \"local\" {\n path = \""+c.path+"\"\n}", []string{"path=" + c.path}
		if c.workspace != "" {
			block, given = "backend \"local\" {\n workspace_dir = \""+c.dir+"\"\n}", []string{"workspace_dir=" + c.dir}
		}
		for _, p := range []Place{
			place(t, top, "sandbox/play", c.workspace, block),
			place(t, top, "sandbox/play", c.workspace, `backend "local" {}`, given...),
		} {
			if p.Outside != c.outside || c.names != "" && p.Names != c.names {
				t.Errorf("%+v: %+v", c, p)
			}
		}
	}
	git := place(t, top, ".", "", "backend \"local\" {\n path = \".git/x\"\n}")
	if !git.Outside {
		t.Errorf("a state in .git: %+v", git)
	}
}
