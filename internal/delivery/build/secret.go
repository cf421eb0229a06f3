package build

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxSecret is the size that BuildKit takes.
const maxSecret = 500 << 10

// ParseSecret reads id=ID[,src=PATH|,env=NAME][,type=file|env] by the rules of
// buildx: without either, the variable named ID is meant, or the file where that
// is not set. lookup gives a variable, empty where it is not set.
func ParseSecret(text string, lookup func(string) string) (Secret, error) {
	fields, err := secretFields(text)
	if err != nil {
		return Secret{}, err
	}
	s := Secret{ID: fields["id"], File: fields["src"]}
	variable := fields["env"]
	if s.ID == "" {
		return Secret{}, errors.New("it has no id: want id=ID[,src=PATH|,env=NAME]")
	}
	if s.File != "" && variable != "" {
		return Secret{}, fmt.Errorf("%s: src and env are both given: give one of them", s.ID)
	}
	if fields["type"] == "env" && s.File != "" {
		variable, s.File = s.File, ""
	}
	if fields["type"] == "file" && variable != "" {
		return Secret{}, fmt.Errorf("%s: type=file needs src=PATH, not env=%s", s.ID, variable)
	}
	if _, err := os.Stat(s.ID); s.File == "" && variable == "" && (fields["type"] == "file" || err == nil && lookup(s.ID) == "") {
		s.File = s.ID
	}
	if s.File == "" {
		return secretVariable(s, cmp.Or(variable, s.ID), lookup)
	}
	info, err := os.Stat(s.File)
	if err != nil {
		return Secret{}, fmt.Errorf("%s: %w", s.ID, err)
	}
	if !info.Mode().IsRegular() && info.Size() > 0 || info.Size() > maxSecret {
		return Secret{}, fmt.Errorf("%s: %s is no file of at most %d bytes", s.ID, s.File, maxSecret)
	}
	return s, nil
}

// secretVariable takes the value of a variable.
func secretVariable(s Secret, name string, lookup func(string) string) (Secret, error) {
	value := lookup(name)
	if value == "" {
		return Secret{}, fmt.Errorf("%s: the environment variable %s is empty", s.ID, name)
	}
	if len(value) > maxSecret {
		return Secret{}, fmt.Errorf("%s: the environment variable %s has more than %d bytes", s.ID, name, maxSecret)
	}
	s.Value = []byte(value)
	return s, nil
}

// parseSecretValues reads ID=VALUE, one per line. In quotes a value may have several
// lines, and "" is a quote, as docker/build-push-action reads its secrets. Its
// errors quote no value.
func parseSecretValues(text string) ([]Secret, error) {
	var list []Secret
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		number, line := i+1, strings.TrimSpace(lines[i])
		if quoted, is := strings.CutPrefix(line, `"`); is {
			for !closed(quoted) {
				if i++; i == len(lines) {
					return nil, fmt.Errorf("line %d begins with a quote that no line ends: write \"ID=VALUE\", and \"\" for a quote", number)
				}
				quoted += "\n" + strings.TrimSuffix(lines[i], "\r")
			}
			line = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(quoted), `"`), `""`, `"`)
		}
		if line == "" {
			continue
		}
		id, value, found := strings.Cut(line, "=")
		switch id = strings.TrimSpace(id); {
		case !found || id == "":
			return nil, fmt.Errorf("line %d is not ID=VALUE: a value of several lines stands in quotes, \"ID=VALUE\"", number)
		case value == "":
			return nil, fmt.Errorf("line %d has no value: is the secret that it takes set, and may this run read it", number)
		case len(value) > maxSecret:
			return nil, fmt.Errorf("line %d has a value of more than %d bytes", number, maxSecret)
		}
		list = append(list, Secret{ID: id, Value: []byte(value)})
	}
	return list, nil
}

// closed reports whether a text that began with a quote ends with one, which is
// not half of a pair.
func closed(text string) bool {
	text = strings.TrimSpace(text)
	return (len(text)-len(strings.TrimRight(text, `"`)))%2 == 1
}

// secretFields reads the fields of a secret, each at most once.
func secretFields(text string) (map[string]string, error) {
	list, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, errors.New("it is not id=ID[,src=PATH|,env=NAME]")
	}
	fields := map[string]string{}
	for _, field := range list {
		name, value, found := strings.Cut(field, "=")
		key := strings.ToLower(strings.TrimSpace(name))
		if key == "source" {
			key = "src"
		}
		switch _, twice := fields[key]; {
		case !found || value == "":
			return nil, errors.New("want id=ID[,src=PATH|,env=NAME]: a part of it has no =, or nothing behind it")
		case key != "id" && key != "src" && key != "env" && key != "type":
			return nil, fmt.Errorf("%q is no key of id, src, env and type: give the name of the file or variable that has the value, "+
				"and never the value", strings.TrimSpace(name))
		case key == "type" && value != "file" && value != "env":
			return nil, fmt.Errorf("unknown type %q: want file or env", value)
		case twice:
			return nil, fmt.Errorf("it gives %s twice", key)
		}
		fields[key] = value
	}
	return fields, nil
}
