package starter

import (
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/starter/recognise"
)

var imageInput = regexp.MustCompile(`(?m)^      image: .*\n`)

// withInputs writes what an application's repository says into a workflow, behind the
// inputs that name the image.
func (n Names) withInputs(workflow string, f recognise.Repository) string {
	if len(f.Images) > 0 {
		return n.matrix(workflow, f.Images)
	}
	var lines strings.Builder
	for _, input := range f.Inputs {
		lines.WriteString("      " + input[0] + ": " + input[1] + "\n")
	}
	return imageInput.ReplaceAllStringFunc(workflow, func(line string) string { return line + lines.String() })
}

// appOf is the application of one of several images.
func (n Names) appOf(i recognise.Image) string {
	if i.Name == "" {
		return n.App
	}
	full := n.App + "-" + i.Name
	return strings.Trim(full[:min(len(full), 50)], "-")
}

// repositoryOf is where it is pushed to.
func (n Names) repositoryOf(i recognise.Image) string {
	return n.Image + strings.TrimPrefix(n.appOf(i), n.App)
}

// pathsOf are the files that go into the image, and what says how it is built.
func pathsOf(i recognise.Image) []string {
	for _, input := range i.Inputs {
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
func (n Names) matrix(workflow string, images []recognise.Image) string {
	var names []string
	for _, i := range images {
		for _, input := range i.Inputs {
			if !slices.Contains(names, input[0]) {
				names = append(names, input[0])
			}
		}
	}
	names = append(names, "paths")
	strategy, with := "    strategy:\n      fail-fast: false\n      matrix:\n        include:\n", ""
	for _, i := range images {
		strategy += "          - app: " + n.appOf(i) + "\n            image: " + n.repositoryOf(i) + "\n"
		for _, name := range names {
			value := defaults[name]
			for _, input := range i.Inputs {
				if input[0] == name {
					value = input[1]
				}
			}
			if value == "" {
				value = `""`
			}
			if name == "paths" {
				value = "|\n              " + strings.Join(pathsOf(i), "\n              ")
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
