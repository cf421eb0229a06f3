package githubd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release is a release and its files. Releases here are immutable, which a
// repository can demand: a draft takes files, and once it is published nobody
// adds, changes or deletes one.
// https://docs.github.com/en/code-security/concepts/supply-chain-security/immutable-releases
type release struct {
	ID              int64
	Tag, Name, Body string
	Author          string
	Draft           bool
	Created         time.Time
	Published       time.Time
	Assets          []*asset
}

type asset struct {
	ID       int64
	Name     string
	Type     string
	Size     int64
	Digest   string
	Uploader string
	Created  time.Time
}

type releaseIn struct {
	Tag   *string `json:"tag_name"`
	Name  *string
	Body  *string
	Draft *bool
}

func (s *Server) assetFile(id int64) string {
	return filepath.Join(s.o.Dir, "assets", strconv.FormatInt(id, 10))
}

// releaseJSON is what the caller sees. Files are uploaded to the address that
// upload_url gives: on github.com another host, here the API's.
func (c *call) releaseJSON(r *release) map[string]any {
	id := strconv.FormatInt(r.ID, 10)
	assets := []any{}
	for _, a := range r.Assets {
		assets = append(assets, c.assetJSON(r, a))
	}
	return map[string]any{
		"id": r.ID, "node_id": nodeID("Release", id), "tag_name": r.Tag, "name": r.Name, "body": r.Body, "draft": r.Draft,
		"prerelease": false, "immutable": !r.Draft, "target_commitish": c.repo.DefaultBranch, "author": c.s.userJSON(r.Author),
		"created_at": stamp(r.Created), "published_at": stampOrNil(r.Published), "assets": assets,
		"url": c.api("/releases/%d", r.ID), "assets_url": c.api("/releases/%d/assets", r.ID),
		"upload_url": c.api("/releases/%d/assets{?name,label}", r.ID), "html_url": c.page("/releases/tag/%s", r.Tag),
		"tarball_url": c.api("/tarball/%s", r.Tag), "zipball_url": c.api("/zipball/%s", r.Tag),
	}
}

func (c *call) assetJSON(r *release, a *asset) map[string]any {
	return map[string]any{
		"id": a.ID, "node_id": nodeID("ReleaseAsset", strconv.FormatInt(a.ID, 10)), "name": a.Name, "label": "", "state": "uploaded",
		"content_type": a.Type, "size": a.Size, "digest": a.Digest, "download_count": 0, "uploader": c.s.userJSON(a.Uploader),
		"created_at": stamp(a.Created), "updated_at": stamp(a.Created), "url": c.api("/releases/assets/%d", a.ID),
		"browser_download_url": c.page("/releases/download/%s/%s", r.Tag, a.Name),
	}
}

// release finds one of the repository's releases, or nil. Drafts are seen by those
// who may write.
func (c *call) release(matches func(*release) bool) *release {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	i := slices.IndexFunc(c.repo.Releases, func(r *release) bool {
		return matches(r) && (!r.Draft || c.token.may(c.repo, "contents", "write"))
	})
	if i < 0 {
		return nil
	}
	return c.repo.Releases[i]
}

func (c *call) releaseByID() *release {
	return c.release(func(r *release) bool { return strconv.FormatInt(r.ID, 10) == c.PathValue("id") })
}

func (c *call) shown(r *release) (*answer, error) {
	if r == nil {
		return nil, notFound()
	}
	return ok(c.releaseJSON(r))
}

// createRelease makes a release of a tag. Only a draft may name a tag that is not
// there yet; on GitHub publishing would make it, and nothing here needs that.
// https://docs.github.com/en/rest/releases/releases#create-a-release
func createRelease(c *call, in releaseIn) (*answer, error) {
	if in.Tag == nil || *in.Tag == "" {
		return nil, invalid("Release", "tag_name", "missing_field", "")
	}
	if c.release(func(r *release) bool { return r.Tag == *in.Tag && !r.Draft }) != nil {
		return nil, invalid("Release", "tag_name", "already_exists", "")
	}
	made := &release{Draft: true, Author: c.token.User, Created: c.s.now()}
	c.s.change(func(s *state) {
		made.ID = s.next()
		c.repo.Releases = append(c.repo.Releases, made)
	})
	if err := c.changeRelease(made, in); err != nil {
		return nil, err
	}
	return created(c.releaseJSON(made))
}

// changeRelease writes what a request says, and publishes what is no draft by it.
func (c *call) changeRelease(r *release, in releaseIn) error {
	publishes := r.Draft && in.Draft != nil && !*in.Draft
	if publishes && !c.hasTag(r.Tag) {
		return invalid("Release", "tag_name", "invalid", "the stand-in makes no tag: push it first")
	}
	c.s.change(func(*state) {
		for into, value := range map[*string]*string{&r.Tag: in.Tag, &r.Name: in.Name, &r.Body: in.Body} {
			if value != nil {
				*into = *value
			}
		}
		if publishes {
			r.Draft, r.Published = false, c.s.now()
		}
	})
	return nil
}

func (c *call) hasTag(tag string) bool {
	_, err := c.git("rev-parse", "--verify", "--quiet", "refs/tags/"+tag)
	return err == nil
}

// https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name
func releaseByTag(c *call) (*answer, error) {
	return c.shown(c.release(func(r *release) bool { return r.Tag == c.PathValue("tag") && !r.Draft }))
}

func getRelease(c *call) (*answer, error) { return c.shown(c.releaseByID()) }

// https://docs.github.com/en/rest/releases/releases#update-a-release
func updateRelease(c *call, in releaseIn) (*answer, error) {
	r := c.releaseByID()
	if r == nil {
		return nil, notFound()
	}
	if err := c.changeRelease(r, in); err != nil {
		return nil, err
	}
	return ok(c.releaseJSON(r))
}

// uploadAsset takes a file of a draft, whose name is not there yet.
// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset
func uploadAsset(c *call) (*answer, error) {
	r, name := c.releaseByID(), c.URL.Query().Get("name")
	switch {
	case r == nil:
		return nil, notFound()
	case name == "":
		return nil, invalid("ReleaseAsset", "name", "missing_field", "")
	case !r.Draft:
		return nil, unprocessable("Cannot upload assets to an immutable release.")
	case slices.ContainsFunc(r.Assets, func(a *asset) bool { return a.Name == name }):
		return nil, invalid("ReleaseAsset", "name", "already_exists", "")
	}
	a := &asset{Name: name, Type: c.Header.Get("Content-Type"), Uploader: c.token.User, Created: c.s.now()}
	c.s.change(func(s *state) { a.ID = s.next() })
	if err := os.MkdirAll(filepath.Dir(c.s.assetFile(a.ID)), 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(c.s.assetFile(a.ID))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	if a.Size, err = io.Copy(io.MultiWriter(file, hash), c.Body); err != nil {
		return nil, err
	}
	a.Digest = fmt.Sprintf("sha256:%x", hash.Sum(nil))
	c.s.change(func(*state) { r.Assets = append(r.Assets, a) })
	return created(c.assetJSON(r, a))
}

// asset finds a file, and its release.
func (c *call) asset() (*release, *asset) {
	var found *asset
	r := c.release(func(r *release) bool {
		i := slices.IndexFunc(r.Assets, func(a *asset) bool { return strconv.FormatInt(a.ID, 10) == c.PathValue("id") })
		if i >= 0 {
			found = r.Assets[i]
		}
		return i >= 0
	})
	return r, found
}

// getAsset gives the file itself to those who accept application/octet-stream.
// https://docs.github.com/en/rest/releases/assets#get-a-release-asset
func getAsset(c *call) (*answer, error) {
	r, a := c.asset()
	if r == nil {
		return nil, notFound()
	}
	if !strings.Contains(c.Header.Get("Accept"), "application/octet-stream") {
		return ok(c.assetJSON(r, a))
	}
	http.ServeFile(c.w, c.Request, c.s.assetFile(a.ID))
	return nil, nil
}

// https://docs.github.com/en/rest/releases/assets#delete-a-release-asset
func deleteAsset(c *call) (*answer, error) {
	r, a := c.asset()
	if r == nil {
		return nil, notFound()
	}
	if !r.Draft {
		return nil, unprocessable("Cannot delete asset from an immutable release")
	}
	c.s.change(func(*state) { r.Assets = slices.DeleteFunc(r.Assets, func(other *asset) bool { return other == a }) })
	return noContent()
}

// tagAs gives the variable tagName of gh's queries the name of the field that is
// asked for by it.
func tagAs(field string, variables json.RawMessage) json.RawMessage {
	return bytes.Replace(variables, []byte(`"tagName"`), []byte(`"`+field+`"`), 1)
}

// releaseNode answers what gh asks before it reads a draft by REST, which finds no
// draft by its tag: https://github.com/cli/cli/blob/trunk/pkg/cmd/release/shared/fetch.go
func (c *call) releaseNode(_ map[string]string, tag string) (any, error) {
	r := c.release(func(r *release) bool { return r.Tag == tag })
	if r == nil {
		return nil, nil
	}
	return map[string]any{"databaseId": r.ID, "isDraft": r.Draft}, nil
}

// refNode answers whether there is a ref of this name, which gh asks of a tag.
func (c *call) refNode(_ map[string]string, name string) (any, error) {
	if !c.hasTag(strings.TrimPrefix(name, "refs/tags/")) {
		return nil, nil
	}
	return map[string]any{"id": nodeID("Ref", name)}, nil
}

// Assets lists the files of the release of a tag. draft is true while it is not published.
// files is nil where there is no release.
func (s *Server) Assets(repository, tag string) (files map[string]string, draft bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.state.Repositories[strings.ToLower(repository)].Releases {
		if r.Tag == tag {
			files, draft = map[string]string{}, r.Draft
			for _, a := range r.Assets {
				files[a.Name] = s.assetFile(a.ID)
			}
		}
	}
	return files, draft
}
