package githubd

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// pages serves what is not the API: git's smart HTTP, and a few words where
// GitHub would have a page.
// https://git-scm.com/docs/http-protocol
func (s *Server) pages(w http.ResponseWriter, r *http.Request) {
	owner, below, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name, rest, _ := strings.Cut(below, "/")
	service := rest
	if rest == "info/refs" {
		service = r.URL.Query().Get("service")
	}
	repo := s.lookup(owner + "/" + strings.TrimSuffix(name, ".git"))
	if service != "git-upload-pack" && service != "git-receive-pack" {
		if repo == nil || repo.Private {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "%s: the sandbox has no pages. The API is at %s.\n", repo.fullName(), s.APIURL())
		return
	}
	access := "read"
	if service == "git-receive-pack" {
		access = "write"
	}
	token, err := s.authenticate(r)
	if err == nil && (repo == nil || !token.sees(repo)) {
		err = notFound()
	}
	if err != nil || !token.may(repo, "contents", access) {
		if token == nil || token == anonymous {
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
			http.Error(w, "Authentication required.", http.StatusUnauthorized)
			return
		}
		if err != nil {
			http.Error(w, "Repository not found.", http.StatusNotFound)
			return
		}
		http.Error(w, fmt.Sprintf("Permission to %s.git denied to %s.", repo.fullName(), token.User), http.StatusForbidden)
		return
	}
	s.serveGit(w, r, repo, token, service)
}

func (s *Server) serveGit(w http.ResponseWriter, r *http.Request, repo *repository, token *Token, service string) {
	command := git.Command{Dir: s.gitDir(repo), Env: append([]string{}, s.o.Env...), Stdout: w,
		Config: []string{"http.receivepack=true", "uploadpack.allowAnySHA1InWant=true", "receive.denyDeleteCurrent=refuse"}}
	if branch := "refs/heads/" + repo.DefaultBranch; rulesRefuse(repo, token, branch) {
		command.Config = append(command.Config, "receive.hideRefs="+branch)
	}
	if p := r.Header.Get("Git-Protocol"); p != "" {
		command.Env = append(command.Env, "GIT_PROTOCOL="+p)
	}
	w.Header().Set("Cache-Control", "no-cache")
	verb := strings.TrimPrefix(service, "git-")
	if strings.HasSuffix(r.URL.Path, "/info/refs") {
		w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		if !strings.Contains(r.Header.Get("Git-Protocol"), "version=2") || verb == "receive-pack" {
			line := "# service=" + service + "\n"
			fmt.Fprintf(w, "%04x%s0000", len(line)+4, line)
		}
		command.Args = []string{verb, "--stateless-rpc", "--advertise-refs", "."}
		_ = command.Run(r.Context())
		return
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, "bad gzip", http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	command.Stdin = body
	command.Args = []string{verb, "--stateless-rpc", "."}
	if verb != "receive-pack" {
		_ = command.Run(r.Context())
		return
	}
	lock := s.refLock(repo)
	lock.Lock()
	defer lock.Unlock()
	before := s.allRefs(r.Context(), repo)
	ctx := context.WithoutCancel(r.Context()) // what is pushed is pushed
	_ = command.Run(ctx)
	after := s.allRefs(ctx, repo)
	for ref, sha := range after {
		if before[ref] != sha {
			s.refMoved(ctx, repo, token, move{ref, orZero(before[ref]), sha})
		}
	}
	for ref, sha := range before {
		if after[ref] == "" {
			s.refMoved(ctx, repo, token, move{ref, sha, zeroOID})
		}
	}
}

func orZero(sha string) string {
	if sha == "" {
		return zeroOID
	}
	return sha
}

// allRefs are the branches and tags.
func (s *Server) allRefs(ctx context.Context, repo *repository) map[string]string {
	refs := map[string]string{}
	out, err := git.RunEnv(ctx, s.gitDir(repo), s.o.Env, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
	if err != nil {
		return refs
	}
	for _, line := range strings.Split(out, "\n") {
		if sha, ref, ok := strings.Cut(line, " "); ok {
			refs[ref] = sha
		}
	}
	return refs
}
