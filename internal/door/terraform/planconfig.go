package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration/flow"
)

// Where a binary plan keeps the configuration that terraform applies it with.
const (
	planModules = "tfconfig/modules.json"
	planModule  = "tfconfig/m-" // and a module's key, and a file
)

// plannedModule is an entry of terraform's list of modules, in a plan and in a
// data directory.
type plannedModule struct {
	Key, Source, Version, Dir string
}

// byKey puts modules in one order. The directories are the same in every run, because
// terraform's own list names FetchedDir; a plan that names others would open other files.
func byKey(modules []plannedModule) {
	slices.SortStableFunc(modules, func(a, b plannedModule) int { return strings.Compare(a.Key, b.Key) })
}

// inOrder writes the list of modules of a plan such that the same modules have the same
// list in every run.
func inOrder(list []byte) ([]byte, error) {
	var modules []plannedModule
	if err := json.Unmarshal(list, &modules); err != nil {
		return nil, err
	}
	byKey(modules)
	return json.Marshal(modules)
}

// OtherConfiguration lists what of the configuration in a binary plan is not as in
// the root, which is initialised: terraform applies what the plan holds. The
// configuration in an encrypted plan is not known, and the error says so.
func (r *Root) OtherConfiguration(plan []byte) ([]string, error) {
	archive, err := openPlan(plan)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, part := range archive.File {
		if !strings.HasPrefix(part.Name, "tfconfig/") {
			continue
		}
		if _, twice := files[part.Name]; twice {
			return []string{part.Name + " stands in the plan twice"}, nil
		}
		if files[part.Name], err = readPart(part); err != nil {
			return nil, fmt.Errorf("read %s of the binary plan: %w", part.Name, err)
		}
	}
	var planned []plannedModule
	if err := json.Unmarshal(files[planModules], &planned); err != nil {
		return nil, fmt.Errorf("read the list of modules in the binary plan: %w", err)
	}
	here, dirs, err := r.modules()
	if err != nil {
		return nil, err
	}
	byKey(planned)
	if !slices.Equal(planned, here) {
		return []string{"the list of modules"}, nil
	}
	delete(files, planModules)
	var differ []string
	for key, dir := range dirs {
		other, err := r.otherFiles(files, key, dir)
		if err != nil {
			return nil, err
		}
		differ = append(differ, other...)
	}
	for name := range files { // of modules that the list does not have
		differ = append(differ, name)
	}
	slices.Sort(differ)
	return differ, nil
}

// modules lists the modules of the initialised root, and their directories by key.
func (r *Root) modules() ([]plannedModule, map[string]string, error) {
	list, err := readModules(r.o.DataDir)
	if err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(list, func(m plannedModule) bool { return m.Key == "" }) {
		list = append(list, plannedModule{Dir: "."})
	}
	dirs := make(map[string]string)
	for _, m := range list {
		dirs[m.Key] = filepath.FromSlash(m.Dir)
		if !filepath.IsAbs(dirs[m.Key]) {
			dirs[m.Key] = filepath.Join(r.o.Dir, dirs[m.Key])
		}
	}
	byKey(list)
	return list, dirs, nil
}

// Reached says where in the configuration of the root, which is initialised, it goes to
// what a plan alone holds. unclear reports whether the plan alone says the value of a
// variable.
func (r *Root) Reached(unclear func(variable string) bool) (*flow.Found, error) {
	_, dirs, err := r.modules()
	if err != nil {
		return nil, err
	}
	return flow.Find(dirs, unclear)
}

// otherFiles compares the files of one module, and takes them out of files.
func (r *Root) otherFiles(files map[string][]byte, key, dir string) (differ []string, err error) {
	prefix := planModule + key + "/"
	stems := make(map[string]bool) // of what OpenTofu reads in place of a .tf
	for name, data := range files {
		file, of := strings.CutPrefix(name, prefix)
		if !of || strings.Contains(file, "/") {
			continue
		}
		delete(files, name)
		stems[strings.TrimSuffix(strings.TrimSuffix(file, ".json"), ".tofu")] = strings.Contains(file, ".tofu")
		if now, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !bytes.Equal(now, data) {
			differ = append(differ, moduleFile(key, file))
		}
		stems[file] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read a module: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		stem, tf := strings.CutSuffix(strings.TrimSuffix(name, ".json"), ".tf")
		ignored := strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
			strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") // as terraform does
		if tf && !ignored && !e.IsDir() && !stems[name] && !stems[stem] {
			differ = append(differ, moduleFile(key, name))
		}
	}
	return differ, nil
}

func moduleFile(key, file string) string {
	if key == "" {
		return file
	}
	return "module " + key + ": " + file
}
