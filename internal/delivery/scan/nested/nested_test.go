package nested

import (
	"archive/zip"
	"bytes"
	"os"
	"strings"
	"testing"
)

// pack puts content into an archive, depth times over.
func pack(content []byte, method uint16, depth int) []byte {
	for range depth {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		if entry, err := w.CreateHeader(&zip.FileHeader{Name: "lib/a.jar", Method: method}); err == nil {
			_, _ = entry.Write(content)
		}
		_ = w.Close()
		content = out.Bytes()
	}
	return content
}

func TestCheck(t *testing.T) {
	t.Parallel()
	zeroes := make([]byte, 1<<20)
	for what, test := range map[string]struct {
		archive []byte
		words   string // of the error; empty without one
	}{
		"no archive":                    {[]byte("hello"), ""},
		"3 deep, stored":                {pack(nil, zip.Store, 3), ""},
		"3 deep, compressed":            {pack(nil, zip.Deflate, 3), ""},
		"4 deep, stored":                {pack(nil, zip.Store, 4), "archives within archives, more than 3 deep"},
		"4 deep, compressed":            {pack(nil, zip.Deflate, 4), "archives within archives, more than 3 deep"},
		"a megabyte, stored":            {pack(zeroes, zip.Store, 1), ""},
		"a megabyte of zeroes":          {pack(zeroes, zip.Deflate, 1), "unpack to more than 10 times its size, and to more than 0 MiB"},
		"cut off":                       {pack(zeroes, zip.Deflate, 1)[:500], ""},
		"a size that lies, to be small": {lie(pack(zeroes, zip.Deflate, 2), 100), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			limits := Limits{Depth: 3, Ratio: 10, RatioFree: 100 << 10, Count: func() {}}
			err := Check("a.jar", bytes.NewReader(test.archive), int64(len(test.archive)), limits)
			if (err != nil) != (test.words != "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
		})
	}
}

// several is an archive of these files, one after another; of each, size is what its entry
// says that it unpacks to.
func several(t *testing.T, size uint64, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, UncompressedSize64: size}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is read whole is bounded by its name, however that is written; and the archives in
// one archive are added up.
func TestCheckByName(t *testing.T) {
	t.Parallel()
	const sum, large = "unpack to more than 10 times its size", "of 17 MiB, and at most 16 MiB are read of such a file"
	for what, test := range map[string]struct {
		archive []byte
		words   string // of the error; empty without one
	}{
		"one archive below the limit":         {several(t, 90<<10, "a.jar"), ""},
		"several archives below it, together": {several(t, 90<<10, "a.jar", "b.jar"), sum},
		"an archive in other letters":         {several(t, 200<<10, "a.JAR"), sum},
		"a web archive":                       {several(t, 200<<10, "a.war"), sum},
		"an enterprise archive":               {several(t, 200<<10, "a.ear"), sum},
		"a PAR archive":                       {several(t, 200<<10, "a.par"), sum},
		"no archive":                          {several(t, 200<<10, "a.zip"), ""},
		"more bytes than there are numbers":   {several(t, 1<<63, "a.jar"), sum},
		"a manifest":                          {several(t, 17<<20, "META-INF/MANIFEST.MF"), large},
		"a small manifest":                    {several(t, 15<<20, "META-INF/MANIFEST.MF"), ""},
		"properties of Maven":                 {several(t, 17<<20, "META-INF/maven/a/b/pom.properties"), large},
		"a project of Maven":                  {several(t, 17<<20, "META-INF/maven/a/b/pom.xml"), large},
		"a licence":                           {several(t, 17<<20, "META-INF/LICENSE.txt"), large},
		"a licence by another name":           {several(t, 17<<20, "COPYING.txt"), large},
		"a file that nobody reads":            {several(t, 17<<20, "a.class"), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			limits := Limits{Depth: 3, Ratio: 10, RatioFree: 100 << 10, Count: func() {}}
			err := Check("a.jar", bytes.NewReader(test.archive), int64(len(test.archive)), limits)
			if (err != nil) != (test.words != "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
		})
	}
}

// Each archive within is counted, at every depth.
func TestCheckCounts(t *testing.T) {
	t.Parallel()
	archive, n := pack(several(t, 0, "a.jar", "b.jar", "c.txt"), zip.Deflate, 2), 0
	limits := Limits{Depth: 3, Ratio: 10, RatioFree: 1 << 20, Count: func() { n++ }}
	if err := Check("a.jar", bytes.NewReader(archive), int64(len(archive)), limits); err != nil || n != 4 {
		t.Errorf("counted %d archives, want 4: %v", n, err)
	}
}

// What is too large for memory is unpacked into a file, which does not stay.
func TestCheckLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	archive := pack(make([]byte, inMemory+1), zip.Deflate, 1)
	limits := Limits{Depth: 3, Ratio: 10, RatioFree: inMemory * 2, Count: func() {}}
	if err := Check("a.jar", bytes.NewReader(archive), int64(len(archive)), limits); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// lie changes the size that the directory of an archive gives its file.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, section 4.3.12
func lie(archive []byte, size byte) []byte {
	at := bytes.LastIndex(archive, []byte("PK\x01\x02"))
	copy(archive[at+24:at+28], []byte{size, 0, 0, 0})
	return archive
}

// Whatever an archive holds, looking into it ends, and unpacks no more than the limit
// and one archive.
func FuzzCheck(f *testing.F) {
	for depth := range 4 {
		f.Add(pack([]byte("hello"), zip.Store, depth))
		f.Add(pack([]byte("hello"), zip.Deflate, depth))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &archive{limits: Limits{Depth: 3, Ratio: 10, RatioFree: 1 << 20, Count: func() {}}, name: "a.jar", size: int64(len(data))}
		err := a.within(bytes.NewReader(data), a.size, 0)
		if beyond := a.unpacked > 1<<20 && a.unpacked/10 > a.size; beyond != (err != nil && strings.Contains(err.Error(), "unpack to")) {
			t.Errorf("%d bytes unpacked of %d: %v", a.unpacked, a.size, err)
		}
	})
}
