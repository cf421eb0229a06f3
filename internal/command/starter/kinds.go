package starter

import (
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/waybill-dev/waybill/examples"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

// applications are examples/app as backend and examples/frontend as frontend:
// modules of their own, which cannot be embedded. A test holds the archive
// against them, and writes it with -update.
//
//go:embed applications.txtar
var applications []byte

const (
	workflowDir     = ".github/workflows/"
	deliverWorkflow = workflowDir + "deliver.yml"
	runningWorkflow = workflowDir + "running.yml"
)

// accountRoot makes the roles of all environments.
const accountRoot = "infra/aws/account/main.tf"

// schemaFile is the schema of waybill.yaml, for editors: they need an address or
// a file that is there.
const schemaFile = ".waybill/waybill.schema.json"

var (
	modeline  = regexp.MustCompile(`(?m)^# yaml-language-server: \$schema=.*$`)
	ownAction = regexp.MustCompile(`(waybill-dev/waybill/actions/[a-z]+@)(?:[0-9a-f]{40} # )?(v\S+)`)
)

func files(kind string, n Names) (list []file, err error) {
	switch kind {
	case App:
		list, err = appFiles(n)
		return n.placed(kind, list), err
	case Config:
		list, err = configFiles(n)
	case Infra:
		list, err = infraFiles(n)
	default:
		return nil, outcome.Usagef("no kind of repository %q", kind)
	}
	if n.ActionsCommit != "" && !git.IsObjectID(n.ActionsCommit) {
		return nil, outcome.Usagef("--actions-commit %q is not a commit: give all 40 digits", n.ActionsCommit)
	}
	for i, f := range list {
		switch {
		case f.name == config.FileName:
			list[i].data = modeline.ReplaceAllLiteral(f.data, []byte("# yaml-language-server: $schema="+schemaFile))
		case n.ActionsCommit != "" && strings.HasPrefix(f.name, workflowDir):
			list[i].data = ownAction.ReplaceAll(f.data, []byte("${1}"+n.ActionsCommit+" # ${2}"))
		}
	}
	return n.placed(kind, append(list, file{schemaFile, config.Schema})), err
}

// appFiles are the one workflow, or with a template a whole application.
func appFiles(n Names) ([]file, error) {
	fill := func(text string) []byte { return []byte(n.fill(text, scope{app: true, at: -1})) }
	if n.Template == None {
		data, err := fs.ReadFile(workflows.Files, "app/ci.yml")
		text := unmarked(string(fill(string(data))), true)
		return []file{{workflowDir + "ci.yml", []byte(n.withRegistry(n.withInputs(text, n.found)))}}, err
	}
	var list []file
	for _, f := range txtar.Parse(applications).Files {
		name, ok := strings.CutPrefix(f.Name, n.Template+"/")
		if !ok {
			continue
		}
		text := string(f.Data)
		if n.Template == Frontend { // which mentions the backend, and is not it
			text = regexp.MustCompile(`\bbackend\b`).ReplaceAllLiteralString(text, "\x00")
			text = regexp.MustCompile(`\bfrontend\b`).ReplaceAllLiteralString(text, Backend)
		}
		text = unmarked(strings.ReplaceAll(string(fill(text)), "\x00", Backend), path.Ext(name) == ".yml")
		if name == workflowDir+"ci.yml" {
			text = n.withRegistry(text)
		}
		list = append(list, file{name, []byte(text)})
	}
	return list, nil
}

// example gives the files of one of the examples, by path in it. What working
// in it leaves behind is no part of it.
func example(kind string) (map[string]string, error) {
	tree, err := fs.Sub(examples.Files, kind)
	if err != nil {
		return nil, err
	}
	found := make(map[string]string)
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".terraform":
			return fs.SkipDir
		case d.IsDir() || strings.Contains(d.Name(), ".tfstate"):
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		found[name] = string(data)
		return err
	})
	return found, err
}

// configExample is the example with the way in, the platform and the secrets that were chosen. Its files take
// the place of those of one name, and an empty one takes a file away.
func (n Names) configExample() (map[string]string, error) {
	tree, err := example(Config)
	if err != nil {
		return nil, err
	}
	if n.Ingress != Traefik {
		other, err := example("ingress/" + n.Ingress)
		if err != nil {
			return nil, err
		}
		for name, text := range other {
			if tree[name] = text; text == "" {
				delete(tree, name)
			}
		}
	}
	return n.shape(tree)
}

var (
	configEntry = regexp.MustCompile(`^  - name: (dev|staging|prod)\n`)
	infraEntry  = regexp.MustCompile(`^    - \{dir: infra/aws/(dev|staging|prod)\b`)
	// accountEntry is a cluster in the list of those whose roles may be changed.
	accountEntry = regexp.MustCompile(`^    \{ name = "(dev|staging|prod)",`)
)

// namesApp says where in a config repository backend is the application.
// Elsewhere it is a word of Kubernetes or of a chart.
func namesApp(name string) bool {
	return strings.HasPrefix(name, "apps/backend/") || strings.HasPrefix(name, "clusters/") || strings.HasPrefix(name, "docs/") ||
		name == "README.md" || name == "apps/frontend/chart/values.yaml"
}

func configFiles(n Names) ([]file, error) {
	tree, err := n.configExample()
	if err != nil {
		return nil, err
	}
	list, err := expand(tree, n, func(name string) bool {
		if len(n.Environments) == 1 && strings.HasPrefix(name, "namespaces/shop/") {
			return false // the namespace of a first environment that is not the last
		}
		return n.Platform != None || name == config.FileName || name == "README.md" ||
			strings.HasPrefix(name, ".github/") && path.Dir(name) == ".github" || strings.HasPrefix(name, "apps/") || starterWorkflow(name)
	}, func(name, text string, c scope) string {
		switch name {
		case config.FileName:
			return n.items(text, configEntry, scope{environments: true, app: true, at: -1})
		case "README.md":
			if n.Platform == None {
				text, _, _ = strings.Cut(text, "\n## The clusters\n")
			}
		case spokes:
			return n.spokes(text)
		case restoreDrill:
			return n.drill(text)
		}
		// Workflows, alerts and prose name environments too; what else all clusters
		// have in common does not.
		c.environments = c.environments || strings.HasPrefix(name, ".github/") ||
			strings.HasPrefix(name, "platform/observability/") || path.Ext(name) == ".md"
		c.app = namesApp(name)
		if path.Ext(name) == ".md" {
			return n.tables(text, c)
		}
		return n.fill(text, c)
	})
	if err != nil {
		return nil, err
	}
	for i, f := range list {
		list[i].data = []byte(n.withoutArtifacts(n.withIdentity(f.name, string(f.data))))
		f = list[i]
		fill := map[string]func(string) (string, error){
			deliverWorkflow: n.Trust.Fill, runningWorkflow: workflows.Trust{Database: n.Trust.Database}.Fill, config.FileName: n.Trust.Pin,
		}[f.name]
		if fill == nil {
			continue
		}
		// After the names: what is filled in is not searched for them.
		text, err := fill(string(f.data))
		if err != nil {
			return nil, outcome.Usagef("%w", err)
		}
		list[i].data = []byte(text)
	}
	return list, rewritePolicies(list)
}

// rewritePolicies writes the policies of the cluster from the filled-in waybill.yaml.
func rewritePolicies(list []file) error {
	i := slices.IndexFunc(list, func(f file) bool { return f.name == config.FileName })
	if i < 0 {
		return nil
	}
	c, err := config.Parse(config.FileName, list[i].data)
	if err != nil {
		return err
	}
	for i, f := range list {
		command, policy, err := cluster.Rewrite(f.data, c)
		switch {
		case err != nil:
			return fmt.Errorf("write %s: %w", f.name, err)
		case command != "":
			list[i].data = []byte(policy)
		}
	}
	return nil
}

// starterWorkflow reports whether a file is a workflow of the delivery.
func starterWorkflow(name string) bool {
	_, err := fs.Stat(workflows.Files, path.Join(Config, path.Base(name)))
	return err == nil && strings.HasPrefix(name, workflowDir)
}

func infraFiles(n Names) ([]file, error) {
	tree, err := example(Infra)
	if err != nil {
		return nil, err
	}
	n.choose(tree)
	return expand(tree, n, func(name string) bool {
		return n.onAWS() || !strings.HasPrefix(name, "infra/aws/") && !strings.HasPrefix(name, "bootstrap/") &&
			!strings.HasPrefix(name, "modules/platform/")
	}, func(name, text string, c scope) string {
		switch name {
		case config.FileName:
			return n.items(text, infraEntry, scope{environments: true, app: true, at: -1})
		case accountRoot:
			return n.items(text, accountEntry, scope{environments: true, at: -1})
		}
		return n.fill(text, c)
	})
}

// expand makes the files of all environments from those of the example's three,
// and fills them in.
func expand(tree map[string]string, n Names, take func(name string) bool, fill func(name, text string, c scope) string) ([]file, error) {
	made := make(map[string]string) // from what
	var list []file
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if !take(name) {
			continue
		}
		places := []scope{{at: -1}}
		if kind, ok := perEnvironment(name); ok {
			places = nil
			for at := range n.Environments {
				if n.kind(at) == kind {
					places = append(places, scope{environments: true, at: at})
				}
			}
		}
		for _, c := range places {
			to := n.path(name, c)
			if other, taken := made[to]; taken {
				return nil, outcome.Usagef(
					"%s would be made from %s and from %s: take another name for the environment or the application", to, other,
					name,
				)
			}
			made[to] = name
			text := fill(name, tree[name], c)
			text = unmarked(text, path.Ext(name) == ".yaml" || path.Ext(name) == ".yml")
			list = append(list, file{to, []byte(text)})
		}
	}
	slices.SortFunc(list, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// path is a file's path with names filled in.
func (n Names) path(name string, c scope) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		stem, rest, dotted := strings.Cut(part, ".")
		if c.at >= 0 && stem == n.kind(c.at) {
			stem = n.Environments[c.at]
		}
		if dotted {
			stem += "." + rest
		}
		parts[i] = stem
	}
	if strings.HasPrefix(name, "apps/backend/") || strings.HasPrefix(name, "clusters/base/apps/backend.") {
		for i, part := range parts {
			if part == Backend || strings.HasPrefix(part, Backend+".") {
				parts[i] = n.App + strings.TrimPrefix(part, Backend)
			}
		}
	}
	return strings.Join(parts, "/")
}

// Left names what still has the example's value and has to be filled in later.
func (n Names) Left() []string {
	var left []string
	for what, is := range map[string]bool{
		fmt.Sprintf("the AWS account %s", defaultAccount): n.Account == defaultAccount && n.onAWS(),
		fmt.Sprintf("the domain %s", n.slug()+".example"): n.Domain == n.slug()+".example",
	} {
		if is {
			left = append(left, what)
		}
	}
	slices.Sort(left)
	return left
}
