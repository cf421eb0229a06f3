// Package nested looks into archives that may hold archives, such as JAR files, before
// anything parses them. It unpacks what is nested, as the parser will, and stops at
// stated limits. It says nothing of an archive that is damaged: parsers pass over it.
package nested

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Limits bound what one archive may hold.
type Limits struct {
	Depth     int64  // how deep archives may lie within it
	Ratio     int64  // how many times its size the archives in it may unpack to
	RatioFree int64  // beyond this many bytes
	Count     func() // is told of each archive within
}

// Check says which limit an archive of the image breaks; nil if it breaks none. name is
// for the error.
func Check(name string, r io.ReaderAt, size int64, limits Limits) error {
	a := &archive{limits: limits, name: name, size: size}
	return a.within(r, size, 0)
}

// archive is one archive of the image, and all that is nested in it.
type archive struct {
	limits   Limits
	name     string
	size     int64
	unpacked int64 // bytes of the archives in it, at every depth
}

// IsArchive reports whether Trivy reads a file as a Java archive.
func IsArchive(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".jar", ".war", ".ear", ".par":
		return true
	}
	return false
}

const (
	mostOfMetadata = 16 << 20 // one description of a library
	inMemory       = 64 << 20
)

// within follows the archives in an archive, as Trivy does, and says which limit they
// break. What is no archive is left to Trivy, which passes over it.
func (a *archive) within(r io.ReaderAt, size int64, depth int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil
	}
	for _, f := range z.File {
		switch {
		case IsArchive(f.Name):
			if err := a.nested(r, f, depth+1); err != nil {
				return err
			}
		case describes(f.Name) && f.UncompressedSize64 > mostOfMetadata:
			return fmt.Errorf("the archive %.200q in the image has %.200q of %d MiB, and at most %d MiB are read of such a file",
				a.name, f.Name, f.UncompressedSize64>>20, int64(mostOfMetadata)>>20)
		}
	}
	return nil
}

// describes reports whether Trivy reads a file of an archive whole.
func describes(file string) bool {
	base := strings.ToLower(path.Base(file))
	return base == "manifest.mf" || base == "pom.properties" || base == "pom.xml" ||
		strings.Contains(base, "licen") || strings.HasPrefix(base, "copying")
}

func (a *archive) nested(r io.ReaderAt, f *zip.File, depth int64) error {
	limits := a.limits
	if depth > limits.Depth {
		return fmt.Errorf("the archive %.200q in the image holds archives within archives, more than %d deep", a.name, limits.Depth)
	}
	limits.Count()
	size := int64(min(f.UncompressedSize64, uint64(1)<<62))
	if a.unpacked += size; a.unpacked > limits.RatioFree && a.unpacked/limits.Ratio > a.size {
		return fmt.Errorf("the archives in %.200q of the image unpack to more than %d times its size, and to more than %d MiB",
			a.name, limits.Ratio, limits.RatioFree>>20)
	}
	if f.Method == zip.Store && f.CompressedSize64 == f.UncompressedSize64 {
		if at, err := f.DataOffset(); err == nil {
			return a.within(io.NewSectionReader(r, at, size), size, depth)
		}
		return nil
	}
	inner, remove, err := unpackNested(f, size)
	if err != nil {
		return nil // a damaged archive, which Trivy passes over
	}
	defer remove()
	return a.within(inner, size, depth)
}

// unpackNested gives what is compressed in an archive in a form that can be read at
// any place.
func unpackNested(f *zip.File, size int64) (at io.ReaderAt, remove func(), err error) {
	content, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	defer content.Close()
	if size <= inMemory {
		data, err := io.ReadAll(io.LimitReader(content, size))
		return bytes.NewReader(data), func() {}, err
	}
	file, err := os.CreateTemp("", "nested-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }
	if _, err = io.Copy(file, io.LimitReader(content, size)); err != nil {
		remove()
		return nil, nil, err
	}
	return file, remove, nil
}
