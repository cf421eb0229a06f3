package starter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/command/starter"
)

// The workflow fits the repository that it is written into.
func TestRecognise(t *testing.T) {
	t.Parallel()
	const node = `{"scripts": {"test": "node --test", "lint": "eslint ."}}`
	for name, c := range map[string]struct {
		files  map[string]string
		inputs string // NAME: VALUE, one per line, in their order
		says   string
	}{
		"go outside": {map[string]string{"Dockerfile": "FROM scratch\nCOPY dist/linux-amd64/x /x\n", "go.mod": "", "cmd/x/main.go": ""},
			"lint: go vet ./...\ntest: go test ./...\ngo_package: ./cmd/x", "Recognised the Dockerfile. Recognised Go by " +
				"go.mod."},
		"go inside": {map[string]string{
			"Dockerfile": "FROM golang\nCOPY . dist/\nRUN CGO_ENABLED=0 go build .\n", "go.mod": "", "main.go": "",
		},
			"lint: go vet ./...\ntest: go test ./...", "Recognised Go"},
		"two mains": {map[string]string{"Dockerfile": "COPY dist/x /\n", "go.mod": "", "cmd/a/main.go": "", "cmd/b/main.go": ""},
			"lint: go vet ./...\ntest: go test ./...", "set go_package to the main package"},
		"make": {
			map[string]string{"Dockerfile": "", "go.mod": "", "Makefile": "lint:\n\tx\ntest: lint\n"},
			"lint: make lint\ntest: make test", "",
		},
		"node": {map[string]string{"Dockerfile": "", "package.json": node, "package-lock.json": "{}"},
			"lint: npm ci && npm run lint\ntest: npm ci && npm test", "Recognised Node by package.json."},
		"pnpm": {map[string]string{"Dockerfile": "", "package.json": node, "pnpm-lock.yaml": ""},
			"lint: corepack enable && pnpm install --frozen-lockfile && pnpm run lint\ntest: corepack enable && pnpm install " +
				"--frozen-lockfile && pnpm test", ""},
		"npm init": {
			map[string]string{"Dockerfile": "", "package.json": `{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}`},
			"", "No tests were recognised",
		},
		"not json": {map[string]string{"Dockerfile": "", "package.json": "{"}, "", "package.json is not JSON"},
		"python": {map[string]string{"Dockerfile": "", "requirements.txt": "flask==3.0.0\npytest==8.0.0\n", "tests/test_a.py": ""},
			"test: python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt && .venv/bin/python " +
				"-m pytest", "Recognised Python by requirements.txt."},
		"pyproject": {map[string]string{"Dockerfile": "", "pyproject.toml": "", "tests/test_a.py": ""},
			"test: python3 -m venv .venv && .venv/bin/pip install --quiet . && .venv/bin/python -m unittest discover",
			"Recognised Python by pyproject.toml."},
		"maven": {map[string]string{"Dockerfile": "FROM jre\nCOPY target/*.jar /app.jar\n", "pom.xml": "", "mvnw": ""},
			"test: sh ./mvnw --batch-mode verify",
			"The Dockerfile copies target/*.jar, which is not in the repository: build it in a stage"},
		"gradle": {map[string]string{"Dockerfile": "FROM jdk\nCOPY . .\n", "build.gradle.kts": ""},
			"test: gradle --no-daemon check", "Recognised Java by build.gradle.kts."},
		"rust": {map[string]string{"Dockerfile": "", "Cargo.toml": "", "Cargo.lock": ""},
			"lint: cargo fmt --check\ntest: cargo test --locked", "Recognised Rust by Cargo.toml."},
		"dotnet": {map[string]string{"src/Web/Dockerfile": "FROM sdk\nCOPY . .\n", "src/Web/Web.csproj": "", "All.sln": ""},
			"file: src/Web/Dockerfile\ntest: dotnet test All.sln", "Recognised .NET by All.sln."},
		"dotnet alone": {map[string]string{"worker/Dockerfile": "FROM sdk\nCOPY . .\n", "worker/W.csproj": ""},
			"context: worker\ntest: cd worker && dotnet test W.csproj", ""},
		"php": {map[string]string{"Dockerfile": "", "composer.json": `{"require-dev": {"phpunit/phpunit": "*"}}`},
			"test: composer install --no-interaction --no-progress && vendor/bin/phpunit", "Recognised PHP by composer.json."},
		"ruby": {map[string]string{"Dockerfile": "", "Gemfile": "", "spec/a_spec.rb": ""},
			"test: bundle install && bundle exec rspec", "Recognised Ruby by Gemfile."},
		"a name for a shell": {map[string]string{"Dockerfile": "", "$(id).csproj": ""}, "", "No tests were recognised"},
		"the language beside the Dockerfile": {map[string]string{
			"backend/Dockerfile": "FROM python\nCOPY backend/pyproject.toml web/x /app/\n", "backend/pyproject.toml": "pytest",
			"backend/tests/a": "", "package.json": node, "web/x": "",
		}, "file: backend/Dockerfile\n" +
			"test: cd backend && python3 -m venv .venv && .venv/bin/pip install --quiet . && .venv/bin/python -m pytest", ""},
		"all of a directory without a manifest": {map[string]string{"seed/Dockerfile": "FROM a\nCOPY . .\n", "seed/x.sh": ""},
			"context: seed", ""},
		"all of the root": {map[string]string{"docker/Dockerfile": "FROM a\nCOPY . .\n", "docker/x.sh": ""}, "file: docker/Dockerfile", ""},
		"tests and templates": {map[string]string{
			"Dockerfile": "", "tests/Dockerfile": "", "x/playwright/Dockerfile": "", "Dockerfile.j2": "", "Dockerfile.debian": "FROM a",
		}, "", "There are more Dockerfiles: Dockerfile.debian. An"},
		"tests alone": {map[string]string{"tests/Dockerfile": ""}, "file: tests/Dockerfile", ""},
		"a link to another": {map[string]string{"Dockerfile": "->docker/Dockerfile.debian", "docker/Dockerfile.debian": "FROM a\n"},
			"", "Recognised the Dockerfile. No tests"},
		"a link out": {map[string]string{"Dockerfile": "->/etc/passwd", "a/Dockerfile": "FROM a\n"}, "file: a/Dockerfile", ""},
		"static":     {map[string]string{"Containerfile": "", "index.html": ""}, "", "Recognised a static site by index.html."},
		"below, of its own": {map[string]string{"api/Dockerfile": "", "api/package.json": node, "api/package-lock.json": ""},
			"context: api\nlint: cd api && npm ci && npm run lint\ntest: cd api && npm ci && npm test", "Recognised the Dockerfile " +
				"api/Dockerfile."},
		"below, of the root": {map[string]string{"docker/prod.Dockerfile": "ARG V=1\nFROM a\n", "go.mod": ""},
			"file: docker/prod.Dockerfile\nlint: go vet ./...\ntest: go test ./...", ""},
		"below, copies what is beside it": {map[string]string{
			"web/Dockerfile": "FROM nginx AS a\nCOPY --chown=1 nginx.conf *.html /etc/\nCOPY --from=a /x /x\n",
			"web/nginx.conf": "", "web/a.html": "",
		}, "context: web", ""},
		"below with a manifest, copies from the root": {map[string]string{
			"api/Dockerfile": "FROM node\nCOPY api/src shared /src/\n", "api/package.json": "{}", "api/src/a": "", "shared/b": "",
		}, "file: api/Dockerfile", ""},
		"several": {map[string]string{
			"Dockerfile.dev": "FROM a\n", "Dockerfile": "", "node_modules/x/Dockerfile": "",
			"ci/test.Dockerfile": "# x\n\n  from a\n", "index.html": "",
		},
			"", "There are more Dockerfiles: Dockerfile.dev, ci/test.Dockerfile."},
		"sources called dockerfile": {map[string]string{
			"Dockerfile": "FROM a\n", "lib/dockerfile.ex": "defmodule D do\n@t \"\"\"\nFROM a\n", "mix.exs": "",
			"lib/dockerfile_test.exs": "",
		}, "", "Recognised the Dockerfile. Recognised Elixir by mix.exs. GitHub's hosted runners do not have it"},
		"a base by argument": {map[string]string{
			"Dockerfile": "ARG BASE\nARG TAG=1\nARG OTHER\nARG TARGETARCH\nARG X\nFROM ${BASE}:$TAG$TARGETARCH${X:-1}\nARG LATER\n",
		},
			"",
			"the Dockerfile. The Dockerfile starts from an image that the build argument BASE names: set it in build_args. " +
				"No tests"},
		"an editor's alone": {map[string]string{".devcontainer/Dockerfile": "FROM a\n", ".gitpod/Dockerfile": "FROM a\n"}, "",
			"No Dockerfile was found"},
		"of packages, and the flavours of one image": {map[string]string{
			"packaging/debian/Dockerfile": "", "packaging/rpm/Dockerfile": "", "deb/Dockerfile": "",
			"packaging/docker/alpine/Dockerfile": "", "packaging/docker/distroless/Dockerfile": "",
		}, "file: packaging/docker/alpine/Dockerfile", "There are more Dockerfiles: packaging/docker/distroless/Dockerfile."},
		"laravel": {map[string]string{
			"Dockerfile": "", "artisan": "", "composer.json": `{"require-dev": {"phpunit/phpunit": "*"}}`, "package.json": node,
		}, "test: composer install --no-interaction --no-progress && vendor/bin/phpunit", "Recognised PHP by composer.json."},
		"rails": {map[string]string{"Dockerfile": "", "Gemfile": "", "config/application.rb": "", "package.json": node, "spec/a": ""},
			"test: bundle install && bundle exec rspec", "Recognised Ruby"},
		"django": {map[string]string{"Dockerfile": "", "manage.py": "", "requirements.txt": "", "package.json": node},
			"test: python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt && .venv/bin/python manage.py test", ""},
		"dotnet with tests in node": {
			map[string]string{"Dockerfile": "", "All.slnx": "", "package.json": node}, "test: dotnet test All.slnx", "",
		},
		"a workspace": {map[string]string{
			"apps/web/Dockerfile": "FROM node\n", "apps/web/package.json": node, "pnpm-lock.yaml": "", "package.json": "{}",
		},
			"context: apps/web\nlint: cd apps/web && corepack enable && pnpm install --frozen-lockfile && pnpm run lint\ntest: cd " +
				"apps/web " +
				"&& corepack enable && pnpm install --frozen-lockfile && pnpm test", ""},
		"hostile": {map[string]string{"${{ x }}/Dockerfile": "", "a b/Dockerfile": ""}, "", "No Dockerfile was found"},
		"nothing": {nil, "", "No Dockerfile was found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range c.files {
				at := filepath.Join(dir, filepath.FromSlash(file))
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				if target, is := strings.CutPrefix(text, "->"); is {
					if err := os.Symlink(target, at); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			n := starter.Names{Owner: "acme", App: "x"}
			if err := n.Derive(t.Context(), starter.App, dir); err != nil {
				t.Fatal(err)
			}
			if _, err := starter.Write(dir, starter.App, n, false); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, ".github", "workflows", "ci.yml"))
			if err != nil {
				t.Fatal(err)
			}
			var w struct {
				Jobs map[string]struct{ With yaml.Node }
			}
			if err := yaml.Unmarshal(data, &w); err != nil {
				t.Fatal(err)
			}
			var got []string
			with := w.Jobs["deliver"].With.Content
			for i := 4; i < len(with); i += 2 { // behind app and image
				got = append(got, with[i].Value+": "+with[i+1].Value)
			}
			if text := strings.Join(got, "\n"); text != c.inputs {
				t.Errorf("inputs are\n%s\nwant\n%s", text, c.inputs)
			}
			if next := strings.Join(starter.NextSteps(starter.App, n), "\n"); !strings.Contains(next, c.says) {
				t.Errorf("next steps lack %q:\n%s", c.says, next)
			}
		})
	}
}

// A repository with several images gets a matrix: each image by its own name,
// and built only if its files changed.
func TestSeveralImages(t *testing.T) {
	t.Parallel()
	const api = "app: x-api\nimage: ghcr.io/acme/x-api\n"
	for name, c := range map[string]struct{ files, want string }{
		"directories": {"api/Dockerfile api/go.mod web/Dockerfile web/package.json",
			api + "context: api\nlint: cd api && go vet ./...\ntest: cd api && go test ./...\npaths: api|.github/workflows/\n" +
				"app: x-web\nimage: ghcr.io/acme/x-web\ncontext: web\nlint: \ntest: \npaths: web|.github/workflows/\n"},
		"by their names": {"Dockerfile.api Dockerfile.web_2 Dockerfile.dev",
			api + "file: Dockerfile.api\npaths: .|:!*.md|:!docs\n" +
				"app: x-web-2\nimage: ghcr.io/acme/x-web-2\nfile: Dockerfile.web_2\npaths: .|:!*.md|:!docs\n"},
		"the top and one below": {"Dockerfile worker/Containerfile worker/requirements.txt",
			"app: x\nimage: ghcr.io/acme/x\ncontext: .\npaths: .|:!*.md|:!docs\n" +
				"app: x-worker\nimage: ghcr.io/acme/x-worker\ncontext: worker\npaths: worker|.github/workflows/\n"},
		"directories that say nothing": {"docker/Dockerfile services/cart/src/Dockerfile",
			"app: x\nimage: ghcr.io/acme/x\nfile: docker/Dockerfile\npaths: .|:!*.md|:!docs\n" +
				"app: x-cart\nimage: ghcr.io/acme/x-cart\nfile: services/cart/src/Dockerfile\npaths: .|:!*.md|:!docs\n"},
		"one name twice": {"a/api/Dockerfile b/api/Dockerfile",
			api + "file: a/api/Dockerfile\npaths: .|:!*.md|:!docs\n" +
				"app: x-b-api\nimage: ghcr.io/acme/x-b-api\nfile: b/api/Dockerfile\npaths: .|:!*.md|:!docs\n"},
	} {
		dir := t.TempDir()
		for _, file := range strings.Fields(c.files) {
			at := filepath.Join(dir, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			text := ""
			if strings.HasPrefix(file, "Dockerfile.") { // counts if it is one
				text = "FROM a\n"
			}
			if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n := starter.Names{Owner: "acme", App: "x"}
		if err := n.Derive(t.Context(), starter.App, dir); err != nil {
			t.Fatal(err)
		}
		if _, err := starter.Write(dir, starter.App, n, false); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, ".github", "workflows", "ci.yml"))
		if err != nil {
			t.Fatal(err)
		}
		var w struct {
			Jobs map[string]struct {
				Strategy struct{ Matrix struct{ Include []yaml.Node } }
				With     map[string]string
			}
		}
		if err := yaml.Unmarshal(data, &w); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		got, job := "", w.Jobs["deliver"]
		for _, entry := range job.Strategy.Matrix.Include {
			for i := 0; i < len(entry.Content); i += 2 {
				key, value := entry.Content[i].Value, entry.Content[i+1].Value
				got += key + ": " + strings.ReplaceAll(strings.TrimSpace(value), "\n", "|") + "\n"
				if job.With[key] != "${{ matrix."+key+" }}" {
					t.Errorf("%s: %s is not passed on, but %q", name, key, job.With[key])
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: the matrix is\n%s\nwant\n%s", name, got, c.want)
		}
		next := strings.Join(starter.NextSteps(starter.App, n), "\n")
		for _, line := range strings.Split(c.want, "\n") {
			if image, is := strings.CutPrefix(line, "image: "); is && !strings.Contains(next, "image "+image+", source acme/x") {
				t.Errorf("%s: the next steps lack %s:\n%s", name, image, next)
			}
		}
	}
}
