package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed site
var files embed.FS

// headers go with every answer. Everything comes from this origin, scripts and
// styles are files, and nobody frames the site.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

// contentTypes are those of the site's files; the image has no system that
// would know more.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".ico":  "image/x-icon",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".png":  "image/png",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// page is one file of the site, ready to be sent.
type page struct {
	body        []byte
	contentType string
	tag         string // of its content, quoted
}

// site answers with the files it was made with, and with nothing else: a path
// is looked up, never opened.
type site struct {
	pages    map[string]page // by path
	notFound page
}

func newSite(environment string) (http.Handler, error) {
	s := &site{pages: make(map[string]page)}
	err := fs.WalkDir(files, "site", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		p := newPage(name, body)
		switch at := strings.TrimPrefix(name, "site"); at {
		case "/404.html":
			s.notFound = p
		case "/index.html":
			s.pages["/"] = p
		default:
			s.pages[at] = p
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	config, err := json.Marshal(map[string]string{"environment": environment})
	if err != nil {
		return nil, err
	}
	s.pages["/config.json"] = newPage("config.json", config)
	s.pages["/healthz"] = newPage("healthz.txt", []byte("ok\n"))
	return s, nil
}

func newPage(name string, body []byte) page {
	contentType, known := contentTypes[path.Ext(name)]
	if !known {
		contentType = "application/octet-stream"
	}
	return page{body: body, contentType: contentType, tag: fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body))[:32])}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this method is not allowed here", http.StatusMethodNotAllowed)
		return
	}
	p, ok := s.pages[r.URL.Path]
	if !ok {
		w.Header().Set("Content-Type", s.notFound.contentType)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotFound)
		if r.Method == http.MethodGet {
			_, _ = w.Write(s.notFound.body) // the client may be gone; nobody is left to tell
		}
		return
	}
	w.Header().Set("Content-Type", p.contentType)
	w.Header().Set("Cache-Control", "no-cache") // asks again, and is told 304 as long as the tag holds
	w.Header().Set("ETag", p.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
}
