package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
)

// The head of a file says which command wrote it.
const (
	written    = "Written by `"
	flagEnv    = "--env"
	flagName   = "--name"
	flagExcept = "--except-namespace"
	flagSecret = "--pull-secret"
	flagRoot   = "--trust-root"
	nothing    = `""` // an empty value, as a shell reads it
)

// Rewrite reads the head of a file that Write wrote, and gives the command and what it
// writes from this waybill.yaml. Where nothing is written, such as for an environment
// that is gone, the error says why. For a file of somebody else, command is empty.
func Rewrite(file []byte, c *config.Config) (command, policy string, err error) {
	if !strings.HasPrefix(string(file), "# "+written+"waybill policy ") {
		return "", "", nil
	}
	var head []string
	for line := range strings.Lines(string(file)) {
		words := strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if !strings.HasPrefix(line, "#") || words == "" {
			break
		}
		head = append(head, words)
	}
	command, _, _ = strings.Cut(strings.TrimPrefix(strings.Join(head, " "), written), "`")
	request, err := parseCommand(command)
	if err != nil {
		return command, "", err
	}
	request.Config = c
	result, err := Write(request)
	return command, result.YAML, err
}

func parseCommand(command string) (Request, error) {
	words := strings.Fields(command)
	if len(words) < 3 || len(words)%2 == 0 {
		return Request{}, fmt.Errorf("%q is no command that writes a policy", command)
	}
	r := Request{Kind: Kind(words[2])}
	for i := 3; i < len(words); i += 2 {
		value := words[i+1]
		if value == nothing {
			value = ""
		}
		switch words[i] {
		case flagEnv:
			r.Env = value
		case flagName:
			r.Name = value
		case flagExcept:
			r.Except = slices.DeleteFunc(strings.Split(value, ","), func(name string) bool { return name == "" })
		case flagSecret:
			r.PullSecret = value
		case flagRoot:
			r.TrustRoot = value
		default:
			return Request{}, fmt.Errorf("%q is no flag of a command that writes a policy", words[i])
		}
	}
	return r, nil
}
