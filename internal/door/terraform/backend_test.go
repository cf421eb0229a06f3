package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// place writes a root and gives the place of its state.
func place(t *testing.T, top, dir, workspace, block string, given ...string) Place {
	t.Helper()
	path := filepath.Join(top, dir)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "main.tf"), []byte("terraform {\n"+block+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	places, err := Where(top, dir, workspace, given)
	if err != nil || len(places) != 1 {
		t.Fatal(places, err)
	}
	return places[0]
}

// However a configuration spells it, one state is one place.
func TestOneStateIsOnePlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, workspaceA, b, workspaceB string
		other                        bool // they are two
	}{
		"the same key": {
			a: `backend "s3" { bucket = "b", key = "prod" }`, b: `backend "s3" { bucket = "b", key = "prod" }`,
		},
		"another key": {
			a: `backend "s3" { bucket = "b", key = "prod" }`, b: `backend "s3" { bucket = "b", key = "dev" }`, other: true,
		},
		"another bucket": {
			a: `backend "s3" { bucket = "b", key = "prod" }`, b: `backend "s3" { bucket = "c", key = "prod" }`, other: true,
		},
		"a dot in the key": {
			a: `backend "s3" { bucket = "b", key = "a/prod" }`, b: `backend "s3" { bucket = "b", key = "./a/./prod" }`,
		},
		"slashes in the key": {
			a: `backend "s3" { bucket = "b", key = "a/prod" }`, b: `backend "s3" { bucket = "b", key = "//a//prod" }`,
		},
		"a step back in the key": {
			a: `backend "s3" { bucket = "b", key = "a/prod" }`, b: `backend "s3" { bucket = "b", key = "x/../a/prod" }`,
		},
		"an encoded key": {
			a: `backend "s3" { bucket = "b", key = "a/prod" }`, b: `backend "s3" { bucket = "b", key = "a%2fpr%6fd" }`,
		},
		"a key twice encoded": {
			a: `backend "s3" { bucket = "b", key = "a/prod" }`, b: `backend "s3" { bucket = "b", key = "a%252fprod" }`,
		},
		"a workspace's key": {
			a: `backend "s3" { bucket = "b", key = "k" }`, workspaceA: "prod",
			b: `backend "s3" { bucket = "b", key = "env:/prod/k" }`,
		},
		"a workspace's prefix": {
			a: `backend "s3" { bucket = "b", key = "k" }`, workspaceA: "prod",
			b: `backend "s3" { bucket = "b", key = "k", workspace_key_prefix = "env:" }`, workspaceB: "prod",
		},
		"two workspaces": {
			a: `backend "s3" { bucket = "b", key = "k" }`, workspaceA: "prod", b: `backend "s3" { bucket = "b", key = "k" }`,
			workspaceB: "dev", other: true,
		},
		"gcs": {
			a: `backend "gcs" { bucket = "b", prefix = "x" }`, b: `backend "gcs" { bucket = "b", prefix = "./x/" }`,
		},
		"gcs, two prefixes": {
			a: `backend "gcs" { bucket = "b", prefix = "x" }`, b: `backend "gcs" { bucket = "b", prefix = "y" }`, other: true,
		},
		"azurerm": {
			a: `backend "azurerm" { storage_account_name = "s", container_name = "c", key = "k" }`,
			b: `backend "azurerm" { storage_account_name = "S", container_name = "c", key = "/k" }`,
		},
		"azurerm, a workspace": {
			a: `backend "azurerm" { storage_account_name = "s", container_name = "c", key = "k" }`, workspaceA: "prod",
			b: `backend "azurerm" { storage_account_name = "s", container_name = "c", key = "kenv:prod" }`,
		},
		"http": {
			a: `backend "http" { address = "https://state.example/prod" }`,
			b: `backend "http" { address = "https://u:p@STATE.example.:443/x/..//prod" }`,
		},
		"http, two states": {
			a: `backend "http" { address = "https://state.example/prod" }`,
			b: `backend "http" { address = "https://state.example/dev" }`, other: true,
		},
		"kubernetes": {
			a: `backend "kubernetes" { secret_suffix = "s" }`,
			b: `backend "kubernetes" { secret_suffix = "s", namespace = "default" }`,
		},
		"pg": {
			a: `backend "pg" { conn_str = "postgres://a:b@db/x" }`,
			b: `backend "pg" { conn_str = "postgres://c:d@DB/x", schema_name = "terraform_remote_state" }`,
		},
		"pg, the port and the host's dot": {
			a: `backend "pg" { conn_str = "postgres://db/x" }`, b: `backend "pg" { conn_str = "postgresql://u@db.:5432/x?sslmode=disable" }`,
		},
		"pg, the address in the query": {
			a: `backend "pg" { conn_str = "postgres://db/x" }`, b: `backend "pg" { conn_str = "postgres:///y?host=db&dbname=x" }`,
		},
		"pg, in words": {
			a: `backend "pg" { conn_str = "postgres://db:5433/x" }`,
			b: `backend "pg" { conn_str = "dbname='x' port = 5433 user=a host=DB password=b" }`,
		},
		"pg, two databases": {
			a: `backend "pg" { conn_str = "postgres://db/x" }`, b: `backend "pg" { conn_str = "host=db dbname=y" }`, other: true,
		},
		"pg, two servers": {
			a: `backend "pg" { conn_str = "postgres://db/x" }`, b: `backend "pg" { conn_str = "postgres://db:5433/x" }`, other: true,
		},
		"pg, two schemas": {
			a: `backend "pg" { conn_str = "postgres://db/x" }`,
			b: `backend "pg" { conn_str = "postgres://db/x", schema_name = "y" }`, other: true,
		},
		"consul": {a: `backend "consul" { path = "a/b" }`, b: `backend "consul" { path = "a//b" }`},
		"cloud, by name": {
			a: "cloud {\n organization = \"o\"\n workspaces {\n name = \"n\"\n }\n}",
			b: "backend \"remote\" {\n organization = \"o\"\n workspaces {\n name = \"n\"\n }\n}",
		},
		"remote, by prefix": {
			a: "backend \"remote\" {\n organization = \"o\"\n workspaces {\n prefix = \"n-\"\n }\n}", workspaceA: "prod",
			b: "backend \"remote\" {\n organization = \"o\"\n workspaces {\n name = \"n-prod\"\n }\n}",
		},
		"a backend that is not known": {
			a: `backend "new" { place = "x", password = "a" }`, b: `backend "new" { place = "x", password = "b" }`,
		},
		"one that is not known, elsewhere": {a: `backend "new" { place = "x" }`, b: `backend "new" { place = "y" }`, other: true},
	} {
		top := t.TempDir()
		block := func(text string) string {
			return strings.NewReplacer(", ", "\n", "{ ", "{\n", " }", "\n}").Replace(text)
		}
		a, b := place(t, top, "infra/prod", c.workspaceA, block(c.a)), place(t, top, "sandbox/play", c.workspaceB, block(c.b))
		same := a.Names == b.Names && (a.Backend == b.Backend || a.Backend == "cloud")
		if same == c.other {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
}

// A local state is the file that it is, links followed.
func TestLocalStatesAreFiles(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	prod := place(t, top, "infra/prod", "", `backend "local" {}`)
	if prod.Names != "infra/prod/terraform.tfstate" || prod.Outside {
		t.Errorf("%+v", prod)
	}
	if err := os.MkdirAll(filepath.Join(top, "sandbox/play"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../infra/prod", filepath.Join(top, "sandbox/play/link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"../../infra/prod/terraform.tfstate", "link/terraform.tfstate", filepath.Join(top, "infra/prod/terraform.tfstate"),
		"./x/../../../infra/prod/./terraform.tfstate",
	} {
		p := place(t, top, "sandbox/play", "", "backend \"local\" {\n path = \""+path+"\"\n}")
		if p.Names != prod.Names || !p.Outside {
			t.Errorf("%s: %+v", path, p)
		}
	}
	workspace := place(t, top, "infra/prod", "dev", `backend "local" {}`)
	file := place(t, top, "infra/prod", "", "backend \"local\" {\n path = \"terraform.tfstate.d/dev/terraform.tfstate\"\n}")
	if workspace.Names != file.Names {
		t.Errorf("%s and %s", workspace, file)
	}
	given := place(t, top, "sandbox/play", "", `backend "local" {}`, "path=../../infra/prod/terraform.tfstate")
	if given.Names != prod.Names || !given.Outside {
		t.Errorf("%+v", given)
	}
}

// OpenTofu takes settings from variables and locals. What the tree says of them tells
// states apart; where it does not, nobody can tell.
func TestBackendsThatAreComputed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, names string
		outside       bool
		computed      string
	}{
		"a default": {
			config: "variable \"k\" {\n  default = \"a/prod\"\n}\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = var.k\n  }\n}\n",
			names:  "bucket=b key=a/prod",
		},
		"a local": {
			config: "locals {\n  env = \"prod\"\n}\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"a/${local.env}\"\n  }\n}\n",
			names:  "bucket=b key=a/prod",
		},
		"a path": {
			config: "variable \"p\" {\n  default = \"../prod/terraform.tfstate\"\n}\nterraform {\n  backend \"local\" {\n" +
				"    path = var.p\n  }\n}\n",
			names: "infra/prod/terraform.tfstate", outside: true,
		},
		"an object": {
			config: "locals {\n  w = { name = \"prod\" }\n}\nterraform {\n  backend \"remote\" {\n    organization = \"o\"\n" +
				"    workspaces = local.w\n  }\n}\n",
			names: "host=app.terraform.io organization=o workspace=prod",
		},
		"no value": {
			config:   "variable \"k\" {}\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"a/${var.k}\"\n  }\n}\n",
			computed: "key",
		},
		"in JSON": {
			config: "{\"locals\": {\"k\": \"a/prod\"}, \"terraform\": {\"backend\": {\"s3\": {\"bucket\": \"b\", \"key\": \"${local.k}\"}}}}",
			names:  "bucket=b key=a/prod",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			file := filepath.Join(top, "infra/lab/main.tf")
			if strings.HasPrefix(c.config, "{") {
				file += ".json"
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			places, err := Where(top, "infra/lab", "", nil)
			if err != nil || len(places) != 1 {
				t.Fatal(places, err)
			}
			p := places[0]
			if strings.Join(p.Computed, " ") != c.computed || c.computed == "" && p.Names != c.names || p.Outside != c.outside {
				t.Errorf("is %+v, want %+v", p, c)
			}
			if c.computed == "" {
				return
			}
			if places, err = Where(top, "infra/lab", "", []string{"key=a/prod"}); err != nil || len(places[0].Computed) != 0 {
				t.Errorf("with the key given: %+v %v", places, err)
			}
		})
	}
}
