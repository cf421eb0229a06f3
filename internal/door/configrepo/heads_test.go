package configrepo_test

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// A commit holds another one with changes only if nothing else differs.
func TestHolds(t *testing.T) {
	t.Parallel()
	files := map[string]string{"deploy/a/x.yaml": "1\n", "deploy/b.yaml": "1\n", "other/y": "1\n", "z": "1\n"}
	r := configrepotest.GitHub(t, files)
	base := r.Git(t, "rev-parse", "main")
	write := func(branch string, files map[string]string) string { return r.Write(t, branch, branch, files) }
	heads := map[string]string{
		"right": write("right", map[string]string{"deploy/a/x.yaml": "2\n"}),
		"more":  write("more", map[string]string{"deploy/a/x.yaml": "2\n", "z": "2\n"}),
		"less":  write("less", map[string]string{"deploy/a/x.yaml": "2\n", "other/y": ""}),
		"new":   write("new", map[string]string{"deploy/a/x.yaml": "2\n", "deploy/c": "1\n"}),
		"other": write("other", map[string]string{"deploy/a/x.yaml": "3\n"}),
		"gone":  write("gone", map[string]string{"deploy/a/x.yaml": ""}),
	}
	store := r.Open(t)
	within, err := configrepo.Within(r.Open(t), "deploy")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, head := range heads {
		list = append(list, head)
	}
	change := map[string][]byte{"deploy/a/x.yaml": []byte("2\n")}
	if known, err := store.Holds(t.Context(), heads["right"], base, change); err != nil || known {
		t.Errorf("what was not read is known: %v", err)
	}
	for _, s := range []configrepo.Store{store, within} {
		prefix := map[bool]string{true: "deploy/", false: ""}[s == store]
		if err := s.ReadHeads(t.Context(), append(list, "main", "0000000000000000000000000000000000000000")); err != nil {
			t.Fatal(err)
		}
		r.Requests.Take()
		for name, head := range heads {
			change := map[string][]byte{prefix + "a/x.yaml": []byte("2\n")}
			if got, err := s.Holds(t.Context(), head, base, change); err != nil || got != (name == "right") {
				t.Errorf("%s: %v %v", name, got, err)
			}
			change[prefix+"a/x.yaml"] = nil
			if got, err := s.Holds(t.Context(), head, base, change); err != nil || got != (name == "gone") {
				t.Errorf("%s without the file: %v %v", name, got, err)
			}
			entries, err := s.Log(t.Context(), head, "", 1)
			if err != nil || len(entries) != 1 || entries[0].SHA != head || len(entries[0].Parents) != 1 || entries[0].Parents[0] != base ||
				entries[0].Message != name {
				t.Errorf("%s: %+v %v", name, entries, err)
			}
		}
		if n, asked := r.Requests.Take(); n != 1 { // the files of the base
			t.Errorf("%d requests:\n%s", n, asked)
		}
	}
}

// What is read ahead in parts costs nothing later, and the rules are read for each part.
func TestReadNewestInParts(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("a", "b"))
	files := []string{configrepotest.Overlay("a", "dev"), configrepotest.Overlay("b", "dev")}
	var came []string
	for _, app := range []string{"a", "b"} {
		came = append(came, r.Deploy(t, "main", "dev", app, evidencetest.Ref(app, 1)))
	}
	r.Write(t, "main", "later", map[string]string{"README.md": "x\n"})
	store := r.Open(t)
	head, err := store.Head(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := store.ReadNewest(t.Context(), head, []string{file, "waybill.yaml"}); err != nil {
			t.Fatal(err)
		}
	}
	r.Requests.Take()
	for i, file := range files {
		if _, err := store.Log(t.Context(), head, file, 100); err != nil {
			t.Fatal(err)
		}
		if data, err := store.File(t.Context(), came[i], "waybill.yaml"); err != nil || len(data) == 0 {
			t.Fatalf("%q %v", data, err)
		}
	}
	if n, asked := r.Requests.Take(); n > 2 { // which branch it is, and when it moved
		t.Errorf("%d requests:\n%s", n, asked)
	}
}
