package starter

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// found is what an application's repository says of itself: inputs of
// deliver.yml, and sentences for the person who set it up.
type found struct {
	inputs [][2]string // in the order of the workflow
	says   []string
	images []image // of a repository that has several
}

var (
	recipe     = regexp.MustCompile(`^(?:.+\.)?(?:[Dd]ockerfile|Containerfile)(?:\..+)?$`)
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$`) // goes into YAML and a shell as it stands
	makeTarget = regexp.MustCompile(`(?m)^(lint|test):`)
	compiled   = regexp.MustCompile(`(?m)^(?:COPY|ADD)\s.*\bdist/`)
	goBuild    = regexp.MustCompile(`(?m)^RUN\s.*\bgo (?:build|install)\b`)
)

// recognise reads the Dockerfiles and the manifests of languages. It executes
// nothing, and follows no link that leaves the directory.
func recognise(dir string) (f found) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return f // Write says so
	}
	defer root.Close()
	r := reader{root.FS()}
	recipes := r.recipes()
	named := images(recipes)
	if len(named) < 2 {
		f.one(r, recipes)
		return f
	}
	for _, i := range named {
		i.one(r, []string{i.recipe})
		f.says = append(f.says, i.says...)
		f.images = append(f.images, i)
	}
	return f
}

// one recognises the image of the first Dockerfile.
func (f *found) one(r reader, recipes []string) {
	at, text := ".", "" // directory of the sources
	if len(recipes) == 0 {
		f.say("No Dockerfile was found: write one, or name it as the input file.")
	} else {
		at, text = f.dockerfile(r, recipes), r.text(recipes[0])
	}
	for _, language := range []func(reader, string, string) bool{f.golang, f.node, f.python, f.static} {
		if language(r, at, text) {
			break
		}
	}
}

// into writes the inputs into a workflow, behind those that name the image.
func (f found) into(workflow string, n Names) string {
	if len(f.images) > 0 {
		return f.matrix(workflow, n)
	}
	var lines strings.Builder
	for _, input := range f.inputs {
		lines.WriteString("      " + input[0] + ": " + input[1] + "\n")
	}
	return imageInput.ReplaceAllStringFunc(workflow, func(line string) string { return line + lines.String() })
}

var imageInput = regexp.MustCompile(`(?m)^      image: .*\n`)

func (f *found) say(text string) { f.says = append(f.says, text) }

func (f *found) set(name, value string) { f.inputs = append(f.inputs, [2]string{name, value}) }

// dockerfile names the Dockerfile that is built, and returns the directory of
// its sources: where all that it copies is, else its own if a manifest lies
// there, otherwise the root.
func (f *found) dockerfile(r reader, recipes []string) string {
	chosen, dir := recipes[0], path.Dir(recipes[0])
	f.say("Recognised the Dockerfile " + chosen + ".")
	if len(recipes) > 1 {
		f.say("There are more Dockerfiles: " + strings.Join(recipes[1:], ", ") + ". An image from one of them needs the input file.")
	}
	standard := slices.Contains([]string{"Dockerfile", "dockerfile", "Containerfile"}, path.Base(chosen))
	own := slices.ContainsFunc(manifests, func(name string) bool { return r.has(path.Join(dir, name)) })
	if below, above := r.copiesFrom(dir, r.text(chosen)), r.copiesFrom(".", r.text(chosen)); below != above {
		own = below
	}
	if dir != "." && own {
		f.set("context", dir)
		if !standard {
			f.set("file", chosen)
		}
		return dir
	}
	if dir != "." || !standard {
		f.set("file", chosen)
	}
	return "."
}

var copied = regexp.MustCompile(`(?im)^\s*(?:COPY|ADD)\s+((?:--\S+\s+)*)([^\[\s].*)$`)

// copiesFrom reports whether the Dockerfile names anything that it copies from
// the build context, and the directory has all of it.
func (r reader) copiesFrom(dir, dockerfile string) bool {
	some := false
	for _, line := range copied.FindAllStringSubmatch(dockerfile, -1) {
		words := strings.Fields(line[2])
		if strings.Contains(line[1], "--from=") || len(words) < 2 {
			continue
		}
		for _, source := range words[:len(words)-1] {
			source = path.Clean(strings.Trim(source, `"/`))
			if source == "." || strings.ContainsAny(source, "$:\\<") {
				continue
			}
			if found, err := fs.Glob(r, path.Join(dir, source)); err != nil || len(found) == 0 {
				return false
			}
			some = true
		}
	}
	return some
}

var manifests = []string{"go.mod", "package.json", "requirements.txt", "pyproject.toml", "index.html"}

// tests sets the commands of the first job, run in the directory of the sources.
func (f *found) tests(r reader, at, lint, test string) {
	for _, target := range makeTarget.FindAllStringSubmatch(r.text(path.Join(at, "Makefile")), -1) {
		if target[1] == "lint" {
			lint = "make lint"
		} else {
			test = "make test"
		}
	}
	enter := ""
	if at != "." {
		enter = "cd " + at + " && "
	}
	for _, c := range [][2]string{{"lint", lint}, {"test", test}} {
		if c[1] != "" {
			f.set(c[0], enter+c[1])
		}
	}
	if test == "" {
		f.say("No tests were recognised: set the input test to the command that runs them.")
	}
}

func (f *found) golang(r reader, at, dockerfile string) bool {
	if !r.has(path.Join(at, "go.mod")) {
		return false
	}
	f.say("Recognised Go by " + path.Join(at, "go.mod") + ".")
	f.tests(r, at, "go vet ./...", "go test ./...")
	if !compiled.MatchString(dockerfile) || goBuild.MatchString(dockerfile) {
		return true
	}
	mains, _ := fs.Glob(r, path.Join(at, "cmd/*/main.go"))
	switch {
	case at != ".": // the package has to be one of the module at the root
		f.say("The Dockerfile copies dist, which go_package fills only for a module at the root of the repository.")
	case r.has("main.go"):
		f.set("go_package", ".")
	case len(mains) == 1 && plainPath.MatchString(mains[0]):
		f.set("go_package", "./"+path.Dir(mains[0]))
	default:
		f.say("The Dockerfile copies dist: set go_package to the main package that is compiled into it.")
	}
	return true
}

// defaultTest is the script that npm init writes: it fails.
const defaultTest = "no test specified"

func (f *found) node(r reader, at, _ string) bool {
	file := path.Join(at, "package.json")
	if !r.has(file) {
		return false
	}
	f.say("Recognised Node by " + file + ".")
	var p struct{ Scripts map[string]string }
	if err := json.Unmarshal([]byte(r.text(file)), &p); err != nil {
		f.say(file + " is not JSON: its scripts are unknown.")
	}
	install, run := "npm install", "npm"
	for _, lock := range [][3]string{
		{"pnpm-lock.yaml", "corepack enable && pnpm install --frozen-lockfile", "pnpm"},
		{"yarn.lock", "yarn install --frozen-lockfile", "yarn"}, {"package-lock.json", "npm ci", "npm"},
	} {
		if r.has(path.Join(at, lock[0])) {
			install, run = lock[1], lock[2]
		}
	}
	lint, test := "", ""
	if p.Scripts["lint"] != "" {
		lint = install + " && " + run + " run lint"
	}
	if script := p.Scripts["test"]; script != "" && !strings.Contains(script, defaultTest) {
		test = install + " && " + run + " test"
	}
	f.tests(r, at, lint, test)
	return true
}

func (f *found) python(r reader, at, _ string) bool {
	install, file := "-r requirements.txt", path.Join(at, "requirements.txt")
	if !r.has(file) {
		if install, file = ".", path.Join(at, "pyproject.toml"); !r.has(file) {
			return false
		}
	}
	f.say("Recognised Python by " + file + ".")
	test := ""
	if r.has(path.Join(at, "tests")) || r.has(path.Join(at, "test")) {
		runner := "unittest discover"
		if strings.Contains(r.text(path.Join(at, "requirements.txt"))+r.text(path.Join(at, "pyproject.toml")), "pytest") {
			runner = "pytest"
		}
		test = "python3 -m venv .venv && .venv/bin/pip install --quiet " + install + " && .venv/bin/python -m " + runner
	}
	f.tests(r, at, "", test)
	return true
}

func (f *found) static(r reader, at, _ string) bool {
	if r.has(path.Join(at, "index.html")) {
		f.say("Recognised a static site by " + path.Join(at, "index.html") + ".")
	}
	f.tests(r, at, "", "")
	return true
}

// reader reads a repository that nobody vouches for.
type reader struct{ fs.FS }

func (r reader) has(name string) bool {
	_, err := fs.Stat(r, name)
	return err == nil
}

// text is a file's text, cut at 1 MB; empty if it cannot be read.
func (r reader) text(name string) string {
	file, err := r.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	data := make([]byte, 1<<20)
	n, _ := file.Read(data)
	return string(data[:n])
}

// passedOver are directories that hold what others wrote.
var passedOver = []string{".git", "node_modules", "vendor", ".venv", "testdata"}

// recipes are the paths of the Dockerfiles, those nearest the root first.
func (r reader) recipes() []string {
	var list []string
	_ = fs.WalkDir(r, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case d != nil && d.IsDir() && (err != nil || slices.Contains(passedOver, base) || strings.Count(name, "/") > 3):
			return fs.SkipDir
		case err == nil && d.Type().IsRegular() && recipe.MatchString(base) && path.Ext(base) != ".dockerignore" &&
			plainPath.MatchString(name):
			list = append(list, name)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b string) int {
		if n := strings.Count(a, "/") - strings.Count(b, "/"); n != 0 {
			return n
		}
		if n := len(path.Base(a)) - len(path.Base(b)); n != 0 { // Dockerfile before Dockerfile.dev
			return n
		}
		return strings.Compare(a, b)
	})
	return list
}
