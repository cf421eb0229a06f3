// Package recognise reads the repository of an application: which images its
// Dockerfiles make, of which language it is, and how it is tested. It executes
// nothing, and follows no link that leaves the repository.
package recognise

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Repository is what an application's repository says of itself: inputs of
// deliver.yml, and sentences for the person who set it up.
type Repository struct {
	Inputs [][2]string // name and value, in the order of the workflow
	Says   []string
	Images []Image // of a repository that has several
}

var (
	recipe     = regexp.MustCompile(`^(?:.+\.)?(?:[Dd]ockerfile|Containerfile)(?:\..+)?$`)
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$`) // goes into YAML and a shell as it stands
	makeTarget = regexp.MustCompile(`(?m)^(lint|test):`)
	compiled   = regexp.MustCompile(`(?m)^(?:COPY|ADD)\s.*\bdist/`)
	goBuild    = regexp.MustCompile(`(?m)^RUN\s.*\bgo (?:build|install)\b`)
)

// Read reads the Dockerfiles and the manifests of languages. A directory that cannot
// be read says nothing of itself.
func Read(dir string) (f Repository) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return f
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
		i.one(r, []string{i.Recipe})
		f.Says = append(f.Says, i.Says...)
		f.Images = append(f.Images, i)
	}
	return f
}

// one recognises the image of the first Dockerfile.
func (f *Repository) one(r reader, recipes []string) {
	at, text := ".", "" // directory of the sources
	if len(recipes) == 0 {
		f.say("No Dockerfile was found: write one, or name it as the input file.")
	} else {
		at, text = f.dockerfile(r, recipes), r.text(recipes[0])
	}
	if dir := "."; len(recipes) > 0 { // one that copies from the root may have its sources beside it
		if dir = path.Dir(recipes[0]); at == "." && r.hasAny(dir, manifests) {
			at = dir
		}
	}
	languages := []func(reader, string, string) bool{
		f.golang, f.node, f.python, f.java, f.rust, f.dotnet, f.php, f.ruby, f.elixir, f.static,
	}
	// A service that these mark may have a package.json for its pages or its tests.
	for _, lead := range []struct {
		mark     string
		language func(reader, string, string) bool
	}{
		{"artisan", f.php}, {"config/application.rb", f.ruby}, {"manage.py", f.python}, {"mix.exs", f.elixir}, {"*.sln*", f.dotnet},
	} {
		if r.first(at, lead.mark) != "" {
			languages = slices.Insert(languages, 0, lead.language)
			break
		}
	}
	for _, language := range languages {
		if language(r, at, text) {
			break
		}
	}
}

func (f *Repository) say(text string) { f.Says = append(f.Says, text) }

func (f *Repository) set(name, value string) { f.Inputs = append(f.Inputs, [2]string{name, value}) }

// dockerfile names the Dockerfile that is built, and returns the directory of
// its sources: where all that it copies is, else its own if a manifest lies
// there, otherwise the root.
func (f *Repository) dockerfile(r reader, recipes []string) string {
	chosen, dir := recipes[0], path.Dir(recipes[0])
	f.say("Recognised the Dockerfile" + strings.TrimSuffix(" "+chosen, " Dockerfile") + ".")
	if len(recipes) > 1 {
		f.say("There are more Dockerfiles: " + strings.Join(recipes[1:], ", ") + ". An image from one of them needs the input file.")
	}
	standard := standardNames[path.Base(chosen)]
	own := r.hasAny(dir, manifests) && !(r.hasAny(dir, []string{"*.csproj"}) && r.hasAny(".", []string{"*.sln*"})) ||
		copiesAll.MatchString(r.text(chosen)) && !r.hasAny(".", manifests) && !slices.Contains(ofBuilds, path.Base(dir))
	if below, above := r.copiesFrom(dir, r.text(chosen)), r.copiesFrom(".", r.text(chosen)); below != above {
		own = below
	}
	if !own {
		dir = "."
	}
	if gone := r.missing(dir, r.text(chosen)); gone != "" {
		f.say("The Dockerfile copies " + gone + ", which is not in the repository: build it in a stage of the Dockerfile and take it by " +
			"COPY --from, or give the command that makes it as the input prepare, and its path as prepared.")
	}
	head, _, _ := strings.Cut("\n"+r.text(chosen), "\nFROM ")
	for _, arg := range unset.FindAllStringSubmatch(head, -1) {
		if regexp.MustCompile(`(?m)^FROM .*(?:\$`+arg[1]+`\b|\$\{`+arg[1]+`\})`).MatchString(r.text(chosen)) &&
			!ofPlatforms.MatchString(arg[1]) {
			f.say("The Dockerfile starts from an image that the build argument " + arg[1] + " names: set it in build_args.")
		}
	}
	dir = path.Dir(chosen)
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

var (
	copiesAll = regexp.MustCompile(`(?im)^\s*(?:COPY|ADD)\s+(?:--\S+\s+)*\./?\s`)
	unset     = regexp.MustCompile(`(?m)^ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)[ \t]*$`)
	// ofPlatforms are arguments that every build has.
	ofPlatforms = regexp.MustCompile(`^(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)$`)
	artifact    = regexp.MustCompile(`\.(?:jar|war|dll|whl)$|(?:^|/)(?:target|build|out|publish|bin)/`)
	// ofBuilds are directories that hold how something is built, and not what.
	ofBuilds = []string{".", "docker", ".docker", "dockerfiles", "build", "deploy", "ci", "scripts", "hack", "contrib", "packaging"}
)

// missing is the first that the Dockerfile copies of what a build outside would
// leave in the context and is not there; empty if there is none.
func (r reader) missing(dir, dockerfile string) string {
	for _, line := range copied.FindAllStringSubmatch(dockerfile, -1) {
		words := strings.Fields(line[2])
		if strings.Contains(line[1], "--from=") || len(words) < 2 {
			continue
		}
		for _, source := range words[:len(words)-1] {
			found, _ := fs.Glob(r, path.Join(dir, path.Clean(strings.Trim(source, `"/`))))
			if artifact.MatchString(source) && len(found) == 0 {
				return source
			}
		}
	}
	return ""
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

var manifests = []string{
	"go.mod", "package.json", "requirements.txt", "pyproject.toml", "pom.xml", "build.gradle*", "Cargo.toml", "*.sln*", "*.csproj",
	"composer.json", "Gemfile", "mix.exs", "index.html",
}

// reader reads a repository that nobody vouches for.
type reader struct{ fs.FS }

func (r reader) has(name string) bool {
	_, err := fs.Stat(r, name)
	return err == nil
}

// first is the first file of a directory that fits one of the patterns, which can
// stand in a shell as it is; empty if none does.
func (r reader) first(dir string, patterns ...string) string {
	for _, pattern := range patterns {
		found, _ := fs.Glob(r, path.Join(dir, pattern))
		for _, name := range found {
			if plainPath.MatchString(name) {
				return name
			}
		}
	}
	return ""
}

func (r reader) hasAny(dir string, patterns []string) bool { return r.first(dir, patterns...) != "" }

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
var passedOver = []string{"node_modules", "vendor", "testdata"}

// ofTests are directories whose Dockerfiles serve tests, ofPackages those that make
// packages of a distribution, and templates are the ends of names of what a Dockerfile is made from.
var (
	ofTests = []string{
		"test", "tests", "__tests__", "e2e", "integration-tests", "playwright", "cypress",
	}
	ofPackages = regexp.MustCompile(`(?:^|/)(?:deb|rpm|packaging/(?:debian|fedora|snap|apk|arch))/`)
	templates  = []string{
		".dockerignore", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".in", ".erb", ".md", ".txt", ".orig", ".bak",
		".example",
	}
)

// standardNames are found without being named. A file of another name counts if its
// first instruction is one that a Dockerfile begins with: dockerfile.py may be a
// program.
var (
	standardNames = map[string]bool{"Dockerfile": true, "dockerfile": true, "Containerfile": true}
	begins        = regexp.MustCompile(`(?i)\A\x{feff}?(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*(?:FROM|ARG)[ \t]`)
)

// recipes are the paths of the Dockerfiles, those nearest the root first. Those of
// tests are named only if there is no other. A link within the repository counts
// in place of what it leads to.
func (r reader) recipes() []string {
	all := r.everyRecipe()
	own := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		parts := strings.Split(path.Dir(name), "/")
		return ofPackages.MatchString(name) || slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(ofTests, part) })
	})
	if len(own) == 0 {
		own = all
	}
	var seen []fs.FileInfo
	return slices.DeleteFunc(own, func(name string) bool {
		info, err := fs.Stat(r, name)
		again := slices.ContainsFunc(seen, func(other fs.FileInfo) bool { return err == nil && os.SameFile(info, other) })
		seen = append(seen, info)
		return err != nil || !info.Mode().IsRegular() || again
	})
}

func (r reader) everyRecipe() []string {
	var list []string
	_ = fs.WalkDir(r, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case d != nil && d.IsDir() && (err != nil || slices.Contains(passedOver, base) || strings.Count(name, "/") > 3 ||
			strings.HasPrefix(base, ".") && base != "." && base != ".docker"): // hidden ones are of editors and of CI
			return fs.SkipDir
		case err == nil && !d.IsDir() && recipe.MatchString(base) && !slices.Contains(templates, strings.ToLower(path.Ext(base))) &&
			plainPath.MatchString(name) && (standardNames[base] || begins.MatchString(r.text(name))):
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
