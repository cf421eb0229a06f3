package starter

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

// What a config repository changes in its files where it is a directory of another
// repository: GitHub reads workflows and owners at the top, and the names of workflows
// are those of the whole repository.
var (
	workflowFile  = regexp.MustCompile(`\b(bump|check|deliver|doctor|hold|promote|rollback-direct|rollback|running|smoke)\.yml\b`)
	workflowName  = regexp.MustCompile(`(?m)^name: (.*)$`)
	workflowGroup = regexp.MustCompile(`(?m)^  group: `)
	ownStep       = regexp.MustCompile(`(?m)^( *)- uses: waybill-dev/waybill/actions/(?:bump|check|doctor|hold|promote|rollback)@` +
		`(?:.*\n)(?:.*\n)*? *with:\n`)
	statusName  = regexp.MustCompile(`\bwaybill/check\b`)
	runningStep = regexp.MustCompile(`(?m)^( *)running: "true"\n`)
	ownersLine  = regexp.MustCompile(`(?m)^(# )?(?:\*|/(\S*)) `)
)

const (
	onPushToMain   = "push: {branches: [main]}"
	ofNoDirectory  = "!github.event.deployment.payload.path"
	onEveryPush    = `push: {branches: ["**"], tags: ["v[0-9]*"]}`
	onPullRequests = "pull_request: {}"
)

// suffix is the directory as a part of a workflow's name.
func (n Names) suffix() string { return strings.ReplaceAll(n.Path, "/", "-") }

// Directory finds the top of the git repository that dir lies in, and takes the
// directory from there for the config repository. At the top, and outside of git,
// nothing changes.
func (n *Names) Directory(ctx context.Context, kind, dir string) (top string, err error) {
	if kind != Config {
		return dir, nil
	}
	existing, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	missing := ""
	for {
		if _, err := os.Stat(existing); err == nil || existing == filepath.Dir(existing) {
			break
		}
		missing = filepath.Join(filepath.Base(existing), missing)
		existing = filepath.Dir(existing)
	}
	prefix, err := git.Run(ctx, existing, "rev-parse", "--show-prefix")
	if err != nil {
		return dir, nil //nolint:nilerr // in no git repository
	}
	if n.Path, err = configrepo.CleanDirectory(path.Join(prefix, filepath.ToSlash(missing))); err != nil || n.Path == "" {
		return dir, err
	}
	if !slices.Contains([]string{"", None, AWS}, n.Platform) { // AWS is what nobody has to name
		return "", outcome.Usagef("--platform %s: the clusters' platform needs a config repository of its own, and %s is a directory of "+
			"another one: leave --platform out", n.Platform, n.Path)
	}
	n.Platform = None
	return git.Top(ctx, existing)
}

// maxDepth is how deep a config repository is looked for in an application's.
const maxDepth = 3

// sameRepository finds the directory of the application's own repository that is the
// config repository, if it is there.
func (n *Names) sameRepository(dir string) error {
	if n.Source == "" || n.ConfigRepo != "" && n.ConfigRepo != n.Source {
		return nil
	}
	var found []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, at)
		switch {
		case err != nil || relErr != nil:
			return outcome.Join(err, relErr)
		case !d.IsDir():
			return nil
		case slices.Contains([]string{".git", "node_modules", "vendor"}, d.Name()) || strings.Count(filepath.ToSlash(rel), "/") >= maxDepth:
			return fs.SkipDir
		}
		root, err := os.OpenRoot(at)
		if err != nil {
			return err
		}
		defer root.Close()
		if r, err := readRecord(root, ""); err == nil && r.Kind == Config && rel != "." && r.Names.Path == filepath.ToSlash(rel) {
			found = append(found, r.Names.Path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(found) == 1 {
		n.Path, n.ConfigRepo = found[0], n.Source
	}
	return nil
}

// placed are the files of a kind where they belong.
func (n Names) placed(kind string, list []file) []file {
	if n.Path == "" || kind == Infra {
		return list
	}
	for i, f := range list {
		text := string(f.data)
		switch {
		case kind == App && f.name == workflowDir+"ci.yml":
			text = n.asking(text)
		case kind == App:
		case strings.HasPrefix(f.name, workflowDir):
			text = n.workflow(text)
			list[i].name = workflowDir + n.renamed(path.Base(f.name))
		case f.name == ".github/CODEOWNERS":
			text = statusName.ReplaceAllString(text, "${0}/"+n.Path)
			text = ownersLine.ReplaceAllString(text, "${1}/"+n.Path+"/${2} ")
		case !strings.HasPrefix(f.name, ".github/"):
			text = statusName.ReplaceAllString(n.renamed(text), "${0}/"+n.Path)
			list[i].name = path.Join(n.Path, f.name)
		}
		list[i].data = []byte(text)
	}
	return list
}

// renamed names workflows after the directory.
func (n Names) renamed(text string) string {
	return workflowFile.ReplaceAllStringFunc(text, func(name string) string { return workflows.In(n.Path, name) })
}

func (n Names) workflow(text string) string {
	text = statusName.ReplaceAllString(n.renamed(text), "${0}/"+n.Path)
	text = workflowName.ReplaceAllString(text, "name: ${1} ("+n.Path+")")
	text = workflowGroup.ReplaceAllString(text, "  group: "+n.suffix()+"-")
	text = ownStep.ReplaceAllStringFunc(text, func(step string) string {
		indent := step[:strings.Index(step, "-")]
		return step + indent + "    path: " + n.Path + "\n"
	})
	text = runningStep.ReplaceAllString(text, "${0}${1}path: "+n.Path+"\n")
	text = strings.ReplaceAll(text, ofNoDirectory, "github.event.deployment.payload.path == '"+n.Path+"'")
	return strings.Replace(text, onPushToMain, `push: {branches: [main], paths: ["`+n.Path+`/**"]}`, 1)
}

// asking is the workflow of an application whose repository has the configuration
// too. What Waybill commits there is delivered by nobody.
func (n Names) asking(text string) string {
	ignored := `paths-ignore: ["` + n.Path + `/**"]}`
	text = strings.Replace(n.renamed(text), onEveryPush, strings.TrimSuffix(onEveryPush, "}")+", "+ignored, 1)
	return strings.Replace(text, onPullRequests, "pull_request: {"+ignored, 1)
}

// topOf is where what init wrote for a directory is upgraded: the top of the
// repository, for a config repository that is a directory of it.
func topOf(ctx context.Context, dir string) (top, below string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", "", outcome.Usagef("--dir %s: there is no such directory", dir)
	}
	defer root.Close()
	r, err := readRecord(root, "")
	if err != nil || r.Kind != Config || r.Names.Path == "" {
		return dir, "", nil //nolint:nilerr // Upgrade reads it again, and says so
	}
	prefix, err := git.Run(ctx, dir, "rev-parse", "--show-prefix")
	if err != nil || strings.TrimSuffix(prefix, "/") != r.Names.Path {
		return "", "", outcome.Usagef("%s was written as the directory %s of a repository, and is not it: waybill init config --dir %[1]s "+
			"writes what is right there", dir, r.Names.Path)
	}
	top, err = git.Top(ctx, dir)
	return top, r.Names.Path, err
}
