package build

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// FuzzParseDockerfile looks for recipes that stop the reader, that read from
// above the build context, or whose trouble does not say where it stands.
func FuzzParseDockerfile(f *testing.F) {
	for _, seed := range []string{
		"FROM scratch\nCOPY . /\n", "# syntax=docker/dockerfile:1\nFROM a AS b\nRUN make\nFROM b\nCOPY --from=0 /x /y\n",
		"ARG A=1\nFROM alpine:${A:-2}\nADD https://h/x /\n", "FROM scratch\nCOPY ../x /\n", "FROM scratch\nCOPY a/../../x b /\n",
		"# escape=`\nFROM scratch\nCOPY a `\n b\n", "FROM scratch\nCOPY <<E /x\nhello\nE\n", "FROM scratch\nADD [\"../a b\", \"/\"]\n",
		"FROM scratch\nONBUILD COPY ../x /\n", "FROM\n", "COPY a b\n", "FROM a AS 0\nFROM 0\n", "from A as a\nfrom a as A\n",
	} {
		f.Add([]byte(seed))
	}
	linux := Platform{OS: "linux", Architecture: "arm64"}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDockerfile("dir/Dockerfile", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "dir/Dockerfile") {
				t.Errorf("the error does not begin with the file: %v", err)
			}
			return
		}
		for _, stage := range d.stages {
			for _, cmd := range stage.Commands {
				if source, ok := aboveContext(cmd); ok {
					t.Errorf("%q leaves the context in\n%s", source, data)
				}
			}
		}
		if err := d.Check(Request{}); err != nil {
			t.Error(err)
		}
		first, err := d.executes("", linux, nil)
		if err != nil && !strings.HasPrefix(err.Error(), "dir/Dockerfile:") {
			t.Errorf("the error does not begin with file and line: %v", err)
		}
		if first != nil && (first.Path != "dir/Dockerfile" || first.Reason == "") {
			t.Errorf("needs BuildKit, and does not say where and why: %+v", first)
		}
	})
}

// aboveContext finds a source of the context with more steps up than down. It
// counts, where the reader cleans the path.
func aboveContext(cmd instructions.Command) (string, bool) {
	for _, source := range contextSources(cmd) {
		depth := 0
		for i, part := range strings.Split(source, "/") {
			switch {
			case part == "" && i == 0:
				depth = 1 << 20 // from the top of the context, which nothing is above of
			case part == "..":
				depth--
			case part != "" && part != ".":
				depth++
			}
			if depth < 0 {
				return source, true
			}
		}
	}
	return "", false
}
