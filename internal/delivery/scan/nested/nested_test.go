package nested

import (
	"archive/zip"
	"bytes"
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
