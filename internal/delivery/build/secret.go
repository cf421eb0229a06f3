package build

import (
	"cmp"
	"encoding/csv"
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
		return Secret{}, fmt.Errorf("%q has no id", text)
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

// parseSecretValues reads ID=VALUE, one per line. Its errors quote no value.
func parseSecretValues(text string) ([]Secret, error) {
	var list []Secret
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		id, value, _ := strings.Cut(line, "=")
		if id = strings.TrimSpace(id); id == "" || value == "" {
			return nil, fmt.Errorf("line %d is not ID=VALUE", i+1)
		}
		if len(value) > maxSecret {
			return nil, fmt.Errorf("line %d has a value of more than %d bytes", i+1, maxSecret)
		}
		list = append(list, Secret{ID: id, Value: []byte(value)})
	}
	return list, nil
}

// secretFields reads the fields of a secret, each at most once.
func secretFields(text string) (map[string]string, error) {
	list, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, fmt.Errorf("%q is not id=ID[,src=PATH|,env=NAME]", text)
	}
	fields := map[string]string{}
	for _, field := range list {
		key, value, found := strings.Cut(field, "=")
		if key = strings.ToLower(strings.TrimSpace(key)); key == "source" {
			key = "src"
		}
		switch _, twice := fields[key]; {
		case !found || value == "":
			return nil, fmt.Errorf("%q: %q is not KEY=VALUE", text, field)
		case key != "id" && key != "src" && key != "env" && key != "type":
			return nil, fmt.Errorf("%q: unknown key %q: want id, src, env or type", text, key)
		case key == "type" && value != "file" && value != "env":
			return nil, fmt.Errorf("%q: unknown type %q: want file or env", text, value)
		case twice:
			return nil, fmt.Errorf("%q gives %s twice", text, key)
		}
		fields[key] = value
	}
	return fields, nil
}
