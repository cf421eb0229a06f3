package starter

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// image is one of several images of a repository.
type image struct {
	name   string // behind the application's; empty for that of the top
	recipe string // its Dockerfile
	found
}

// variants are words in the name of a Dockerfile or of its directory that mean the same image in
// another way, not another image.
var variants = []string{
	"dev", "devel", "development", "test", "tests", "ci", "debug", "local", "base", "build", "builder", "prod", "production", "release",
	"staging", "arm64", "amd64", "armv7", "buildx", "alpine", "slim", "debian", "ubuntu", "distroless", "windows", "nanoserver",
	"playwright", "e2e", "cypress", "devcontainer",
}

// images are the Dockerfiles that each make an image of their own, by name.
func images(recipes []string) (list []image) {
	for _, recipe := range recipes {
		dir, word := path.Dir(recipe), strings.ToLower(wordOf(path.Base(recipe)))
		if slices.Contains(variants, word) || word == "" && slices.Contains(variants, path.Base(dir)) {
			continue
		}
		name := word
		if at := calledAfter(dir); name == "" && at != "." {
			name = path.Base(at)
		}
		if slices.ContainsFunc(list, func(i image) bool { return i.name == named(name) }) {
			name = path.Join(dir, word)
		}
		if name = named(name); !slices.ContainsFunc(list, func(i image) bool { return i.name == name }) {
			list = append(list, image{name: name, recipe: recipe})
		}
	}
	return list
}

// calledAfter is the directory after which an image is called: the one above src or
// docker, which say nothing of it.
func calledAfter(dir string) string {
	for slices.Contains(ofBuilds, path.Base(dir)) && dir != "." || slices.Contains([]string{"src", "app"}, path.Base(dir)) {
		dir = path.Dir(dir)
	}
	return dir
}

// wordOf is what the name of a Dockerfile says: api of Dockerfile.api and of
// api.Dockerfile.
func wordOf(base string) string {
	for _, word := range []string{"Dockerfile", "dockerfile", "Containerfile"} {
		if before, after, is := strings.Cut(base, word); is {
			return strings.Trim(before+after, ".")
		}
	}
	return ""
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func named(text string) string {
	return strings.Trim(notInName.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// app is the image's application.
func (i image) app(n Names) string {
	if i.name == "" {
		return n.App
	}
	full := n.App + "-" + i.name
	return strings.Trim(full[:min(len(full), 50)], "-")
}

// repository is where the image is pushed to.
func (i image) repository(n Names) string { return n.Image + strings.TrimPrefix(i.app(n), n.App) }

// paths are the files that go into the image, and what says how it is built.
func (i image) paths() []string {
	for _, input := range i.inputs {
		if input[0] == "context" {
			return []string{input[1], workflowDir}
		}
	}
	return []string{".", ":!*.md", ":!docs"}
}

var appAndImage = regexp.MustCompile(`(?m)^      app: .*\n      image: .*\n`)

// defaults are what deliver.yml takes for an input that is not given. An entry
// of a matrix gives each input that one of the others has.
var defaults = map[string]string{"context": "."}

// matrix delivers each image by a call of its own. What did not change since the
// image was built last is not built.
func (f found) matrix(workflow string, n Names) string {
	var names []string
	for _, i := range f.images {
		for _, input := range i.inputs {
			if !slices.Contains(names, input[0]) {
				names = append(names, input[0])
			}
		}
	}
	names = append(names, "paths")
	strategy, with := "    strategy:\n      fail-fast: false\n      matrix:\n        include:\n", ""
	for _, i := range f.images {
		strategy += "          - app: " + i.app(n) + "\n            image: " + i.repository(n) + "\n"
		for _, name := range names {
			value := defaults[name]
			for _, input := range i.inputs {
				if input[0] == name {
					value = input[1]
				}
			}
			if value == "" {
				value = `""`
			}
			if name == "paths" {
				value = "|\n              " + strings.Join(i.paths(), "\n              ")
			}
			strategy += "            " + name + ": " + value + "\n"
		}
	}
	for _, name := range append([]string{"app", "image"}, names...) {
		with += "      " + name + ": ${{ matrix." + name + " }}\n"
	}
	workflow = appAndImage.ReplaceAllLiteralString(workflow, with)
	return strings.Replace(workflow, "    uses: ", strategy+"    uses: ", 1)
}
