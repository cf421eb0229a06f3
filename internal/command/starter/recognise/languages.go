package recognise

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"
)

// tests sets the commands of the first job, run in the directory of the sources.
func (f *Repository) tests(r reader, at, lint, test string) {
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

func (f *Repository) golang(r reader, at, dockerfile string) bool {
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

func (f *Repository) node(r reader, at, _ string) bool {
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
		if r.has(path.Join(at, lock[0])) || r.has(lock[0]) { // that of a workspace is at the root
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

func (f *Repository) python(r reader, at, _ string) bool {
	install, file := "-r requirements.txt", path.Join(at, "requirements.txt")
	if !r.has(file) {
		if install, file = ".", path.Join(at, "pyproject.toml"); !r.has(file) {
			return false
		}
	}
	f.say("Recognised Python by " + file + ".")
	runner := ""
	switch {
	case strings.Contains(r.text(path.Join(at, "requirements.txt"))+r.text(path.Join(at, "pyproject.toml")), "pytest"):
		runner = "-m pytest"
	case r.has(path.Join(at, "manage.py")):
		runner = "manage.py test"
	case r.has(path.Join(at, "tests")), r.has(path.Join(at, "test")):
		runner = "-m unittest discover"
	}
	test := ""
	if runner != "" {
		test = "python3 -m venv .venv && .venv/bin/pip install --quiet " + install + " && .venv/bin/python " + runner
	}
	f.tests(r, at, "", test)
	return true
}

// The other languages are those whose tools GitHub's hosted runners have.
// https://github.com/actions/runner-images

func (f *Repository) java(r reader, at, _ string) bool {
	for _, tool := range [][3]string{{"pom.xml", "mvnw", "mvn"}, {"build.gradle*", "gradlew", "gradle"}} {
		file := r.first(at, tool[0])
		if file == "" {
			continue
		}
		f.say("Recognised Java by " + file + ".")
		run := tool[2]
		if r.has(path.Join(at, tool[1])) {
			run = "sh ./" + tool[1] // which may have lost its permission to run
		}
		f.tests(r, at, "", map[string]string{"mvn": run + " --batch-mode verify", "gradle": run + " --no-daemon check"}[tool[2]])
		return true
	}
	return false
}

func (f *Repository) rust(r reader, at, _ string) bool {
	file, locked := r.first(at, "Cargo.toml"), ""
	if file == "" {
		return false
	}
	if r.has(path.Join(at, "Cargo.lock")) {
		locked = " --locked"
	}
	f.say("Recognised Rust by " + file + ".")
	f.tests(r, at, "cargo fmt --check", "cargo test"+locked)
	return true
}

// dotnet tests the solution at the root, which knows the projects of the tests.
func (f *Repository) dotnet(r reader, at, _ string) bool {
	file := r.first(".", "*.sln", "*.slnx")
	if file != "" {
		at = "."
	} else if file = r.first(at, "*.sln", "*.slnx", "*.csproj"); file == "" {
		return false
	}
	f.say("Recognised .NET by " + file + ".")
	f.tests(r, at, "", "dotnet test "+path.Base(file))
	return true
}

func (f *Repository) php(r reader, at, _ string) bool {
	file := r.first(at, "composer.json")
	if file == "" {
		return false
	}
	f.say("Recognised PHP by " + file + ".")
	test := ""
	if strings.Contains(r.text(file), `"phpunit/phpunit"`) {
		test = "composer install --no-interaction --no-progress && vendor/bin/phpunit"
	}
	f.tests(r, at, "", test)
	return true
}

func (f *Repository) ruby(r reader, at, _ string) bool {
	file := r.first(at, "Gemfile")
	if file == "" {
		return false
	}
	f.say("Recognised Ruby by " + file + ".")
	test := ""
	switch {
	case r.has(path.Join(at, "spec")):
		test = "bundle install && bundle exec rspec"
	case r.has(path.Join(at, "test")) && r.has(path.Join(at, "Rakefile")):
		test = "bundle install && bundle exec rake test"
	}
	f.tests(r, at, "", test)
	return true
}

// elixir has no commands: GitHub's hosted runners lack it.
func (f *Repository) elixir(r reader, at, _ string) bool {
	file := r.first(at, "mix.exs")
	if file == "" {
		return false
	}
	f.say("Recognised Elixir by " + file + ". GitHub's hosted runners do not have it: run mix test in a stage of the Dockerfile.")
	return true
}

func (f *Repository) static(r reader, at, _ string) bool {
	if r.has(path.Join(at, "index.html")) {
		f.say("Recognised a static site by " + path.Join(at, "index.html") + ".")
	}
	f.tests(r, at, "", "")
	return true
}
