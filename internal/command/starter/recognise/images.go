package recognise

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Image is one of several images of a repository.
type Image struct {
	Name   string // behind the application's; empty for that of the top
	Recipe string // its Dockerfile
	Repository
}

// variants are words in the name of a Dockerfile or of its directory that mean the same image in
// another way, not another image.
var variants = []string{
	"dev", "devel", "development", "test", "tests", "ci", "debug", "local", "base", "build", "builder", "prod", "production", "release",
	"staging", "arm64", "amd64", "armv7", "buildx", "alpine", "slim", "debian", "ubuntu", "distroless", "windows", "nanoserver",
	"playwright", "e2e", "cypress", "devcontainer",
}

// images are the Dockerfiles that each make an image of their own, by name.
func images(recipes []string) (list []Image) {
	for _, recipe := range recipes {
		dir, word := path.Dir(recipe), strings.ToLower(wordOf(path.Base(recipe)))
		if slices.Contains(variants, word) || word == "" && slices.Contains(variants, path.Base(dir)) {
			continue
		}
		name := word
		if at := calledAfter(dir); name == "" && at != "." {
			name = path.Base(at)
		}
		if slices.ContainsFunc(list, func(i Image) bool { return i.Name == named(name) }) {
			name = path.Join(dir, word)
		}
		if name = named(name); !slices.ContainsFunc(list, func(i Image) bool { return i.Name == name }) {
			list = append(list, Image{Name: name, Recipe: recipe})
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
