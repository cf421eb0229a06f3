package terraform

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// Place is where a root keeps its state, as its backend block and the settings
// that are given beside it say. Two roots with one Place share a state.
type Place struct {
	Backend string // type of the backend
	// Names tell states apart: bucket and key, address, path. They are written in
	// one form, however the configuration spells them.
	Names string
	// Outside says that a local state lies in the repository, outside of the
	// directory of its root, or that nobody can tell where it lies.
	Outside bool
	// Computed are settings that only OpenTofu can tell, by values of variables that are
	// not in the tree.
	Computed []string
}

// String names the place for people and fingerprints.
func (p Place) String() string { return p.Backend + " " + p.Names }

// Where says where the root in dir, relative to top, keeps the state of a
// workspace: a place for each backend block, of which overrides can add some.
// given are the inputs for -backend-config, KEY=VALUE or files.
func Where(top, dir, workspace string, given []string) ([]Place, error) {
	root := filepath.Join(top, filepath.FromSlash(dir))
	blocks, err := configuration.Backends(top, root)
	if err != nil {
		return nil, err
	}
	more, err := givenSettings(root, given)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		blocks = []configuration.Backend{{Named: configuration.Named{Name: "local"}}}
	}
	var places []Place
	for _, b := range blocks {
		settings := make(map[string]string, len(b.Settings)+len(more))
		for name, value := range b.Settings {
			settings[name] = value
		}
		for name, value := range more {
			settings[name] = value
		}
		p := Place{Backend: b.Name}
		if b.Name == "local" {
			p.Names, p.Outside = localPlace(top, root, workspace, settings)
		} else {
			p.Names = strings.Join(remoteNames(b.Name, workspace, settings), " ")
		}
		if p.Computed = slices.DeleteFunc(b.Computed, func(name string) bool { return more[name] != "" }); len(p.Computed) > 0 {
			p.Names += " " + strings.Join(p.Computed, ", ") + " computed in " + dir
		}
		places = append(places, p)
	}
	return places, nil
}

func givenSettings(root string, given []string) (map[string]string, error) {
	settings := make(map[string]string)
	for _, g := range given {
		if name, value, ok := strings.Cut(g, "="); ok {
			settings[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"`)
			continue
		}
		file := g
		if !filepath.IsAbs(file) {
			file = root + "/" + file // not cleaned: terraform opens it as it is written
		}
		read, err := configuration.ReadSettings(file)
		if err != nil {
			return nil, fmt.Errorf("read the backend's settings %s: %w", g, err)
		}
		for name, value := range read {
			settings[name] = value
		}
	}
	return settings, nil
}

// localPlace is the file of a local state, links followed, from the top where it
// lies in the repository. It is outside where it can be another root's, or where
// nobody can tell.
func localPlace(top, root, workspace string, settings map[string]string) (string, bool) {
	raw, joined := settings["path"], ""
	if raw == "" {
		raw = "terraform.tfstate"
	}
	if workspace != "" && workspace != "default" {
		dir := settings["workspace_dir"]
		if dir == "" {
			dir = "terraform.tfstate.d"
		}
		// Terraform lists the directory as it is written, and joins the names of states.
		raw, joined = dir+"/"+workspace+"/terraform.tfstate", filepath.Join(dir, workspace, "terraform.tfstate")
	}
	inRoot := func(file string) stateFile {
		if filepath.IsAbs(file) {
			return follow(file)
		}
		return follow(root + "/" + file)
	}
	found := inRoot(raw)
	if joined != "" {
		other := inRoot(joined)
		found.doubtful = found.doubtful || other.doubtful || other.path != found.path
		found.path = other.path
	}
	if relative, ok := relativeTo(resolve(top), found.path); ok {
		_, own := relativeTo(resolve(root), found.path)
		return relative, !own || found.doubtful || slices.Contains(strings.Split(relative, "/"), ".git")
	}
	return filepath.ToSlash(found.path), found.doubtful
}

// relativeTo is a path from a directory, where it lies below it.
func relativeTo(dir, file string) (string, bool) {
	relative, err := filepath.Rel(dir, file)
	return filepath.ToSlash(relative), err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// remoteNames are the settings of a backend that tell its states apart. Of a
// backend that is not known here, all settings do.
// https://developer.hashicorp.com/terraform/language/backend
func remoteNames(kind, workspace string, s map[string]string) []string {
	named := workspace != "" && workspace != "default"
	or := func(name, other string) string { return cmp.Or(s[name], other) }
	switch kind {
	case "s3":
		key := s["key"]
		if named {
			key = path.Join(or("workspace_key_prefix", "env:"), workspace, key)
		}
		return []string{"bucket=" + plainName(s["bucket"]), "key=" + plainKey(key)}
	case "gcs":
		name := workspace
		if !named {
			name = "default"
		}
		return []string{"bucket=" + plainName(s["bucket"]), "object=" + plainKey(path.Join(s["prefix"], name+".tfstate"))}
	case "azurerm":
		key := s["key"]
		if named {
			key += "env:" + workspace
		}
		return []string{
			"account=" + plainName(s["storage_account_name"]), "container=" + plainName(s["container_name"]),
			"key=" + plainKey(key),
		}
	case "http":
		return []string{"address=" + plainAddress(s["address"])}
	case "pg":
		return []string{
			"connection=" + connection(s["conn_str"]), "schema=" + or("schema_name", "terraform_remote_state"),
			"workspace=" + workspaceName(workspace),
		}
	case "kubernetes":
		return []string{"namespace=" + or("namespace", "default"), "suffix=" + s["secret_suffix"], "workspace=" + workspaceName(workspace)}
	case "consul":
		key := s["path"]
		if named {
			key += "-env:" + workspace
		}
		return []string{"address=" + plainAddress(s["address"]), "path=" + plainKey(key)}
	case "remote", "cloud":
		name := cmp.Or(s["workspaces.name"], s["workspaces.prefix"]+workspaceName(workspace))
		return []string{"host=" + or("hostname", "app.terraform.io"), "organization=" + plainName(s["organization"]), "workspace=" + name}
	case "cos", "oss":
		prefix := s["prefix"]
		if kind == "oss" {
			prefix = or("prefix", "env:")
		}
		key := path.Join(prefix, workspaceName(workspace), or("key", "terraform.tfstate"))
		return []string{"bucket=" + plainName(s["bucket"]), "key=" + plainKey(key)}
	}
	return append(allSettings(s), "workspace="+workspaceName(workspace))
}

func workspaceName(workspace string) string {
	if workspace == "" {
		return "default"
	}
	return workspace
}

// plainKey gives spellings of one key one form: a store may tell them apart, but
// no two roots need keys that differ in nothing else.
func plainKey(key string) string {
	for range 3 {
		decoded, err := url.PathUnescape(key)
		if err != nil || decoded == key {
			break
		}
		key = decoded
	}
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(key, `\`, "/")), "/"))
}

func plainName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// plainAddress leaves out what does not name another state: user, query,
// fragment, the default port, the spelling of the path.
func plainAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return plainKey(address)
	}
	port := u.Port()
	if port == "80" || port == "443" {
		port = ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if port != "" {
		host += ":" + port
	}
	name := host + "/" + plainKey(u.Path)
	if query := u.Query().Encode(); query != "" {
		name += "?" + query
	}
	return name
}

// connection is the server and the database that a connection string names, in either
// of its forms: user, password and the usual port do not count.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
func connection(text string) string {
	named := map[string]string{"port": "5432"}
	if u, err := url.Parse(text); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		named["host"], named["dbname"] = u.Hostname(), strings.TrimPrefix(u.Path, "/")
		named["port"] = cmp.Or(u.Port(), named["port"])
		for name, values := range u.Query() {
			named[name] = values[len(values)-1]
		}
	} else {
		for word := range strings.FieldsSeq(strings.ReplaceAll(strings.ReplaceAll(text, " =", "="), "= ", "=")) {
			name, value, _ := strings.Cut(word, "=")
			named[name] = strings.Trim(value, "'")
		}
	}
	host := strings.TrimSuffix(plainName(cmp.Or(named["hostaddr"], named["host"])), ".")
	return host + ":" + named["port"] + "/" + plainKey(named["dbname"])
}

// credentials are settings that name no state, and may be secret.
var credentials = []string{
	"password", "username", "token", "access_key", "secret_key", "client_secret", "profile", "role_arn", "credentials",
}

func allSettings(s map[string]string) []string {
	var list []string
	for name, value := range s {
		if !slices.Contains(credentials, name) {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list
}
