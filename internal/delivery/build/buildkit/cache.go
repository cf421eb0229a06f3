package buildkit

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// cacheTypes are BuildKit's.
// https://github.com/moby/buildkit#cache
var cacheTypes = []string{"registry", "local", "inline", "gha", "s3", "azblob"}

// The tokens of the cache of Actions. The runner puts them into the environment of
// actions that are JavaScript or a container, and of no run step, which every step
// of a composite action is.
// https://github.com/moby/buildkit#github-actions-cache-experimental
// https://github.com/actions/runner, src/Runner.Worker/Handlers: NodeScriptActionHandler.cs
// sets them, ScriptHandler.cs does not.
const (
	actionsToken = "ACTIONS_RUNTIME_TOKEN"
	actionsURL   = "ACTIONS_RESULTS_URL"
)

// caches are those that the request names, and the one that is kept beside the
// image.
func (e Engine) caches(r build.Request, platforms []build.Platform) (from, to []client.CacheOptionsEntry, err error) {
	if from, err = e.parseCaches("--cache-from", r.CacheFrom); err != nil {
		return nil, nil, err
	}
	if to, err = e.parseCaches("--cache-to", r.CacheTo); err != nil {
		return nil, nil, err
	}
	if r.Cache != "" {
		ref := r.Cache
		for _, p := range platforms {
			ref += "-" + strings.ReplaceAll(p.String(), "/", "-")
		}
		from = append(from, client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{"ref": ref}})
		// As an image, because ECR takes nothing else.
		to = append(to, client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{
			"ref": ref, "mode": "max", "image-manifest": "true", "oci-mediatypes": "true",
		}})
	}
	for _, entry := range to {
		if _, given := entry.Attrs["ignore-error"]; !given && entry.Type != "inline" {
			entry.Attrs["ignore-error"] = "true"
		}
	}
	return from, to, nil
}

// parseCaches reads TYPE,KEY=VALUE lists: type=registry,ref=…, or a bare reference.
func (e Engine) parseCaches(flag string, list []string) (entries []client.CacheOptionsEntry, err error) {
	for _, item := range list {
		entry := client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{"ref": item}}
		if strings.Contains(item, "=") {
			entry = client.CacheOptionsEntry{Attrs: map[string]string{}}
			for field := range strings.SplitSeq(item, ",") {
				key, value, found := strings.Cut(field, "=")
				if !found {
					return nil, outcome.Usagef("%s %q: %q is not KEY=VALUE", flag, item, field)
				}
				entry.Attrs[strings.TrimSpace(key)] = value
			}
			entry.Type = entry.Attrs["type"]
			delete(entry.Attrs, "type")
		}
		if !slices.Contains(cacheTypes, entry.Type) {
			types := strings.Join(cacheTypes, ", ")
			return nil, outcome.Usagef("%s %q: want type=registry,ref=…, or one of the types %s", flag, item, types)
		}
		if e.complete(entry) {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// complete fills in what a cache needs of the environment, as buildx does. It
// reports whether the cache can be used.
func (e Engine) complete(entry client.CacheOptionsEntry) bool {
	variables := map[string]map[string]string{
		"gha": {"token": actionsToken, "url_v2": actionsURL, "url": "ACTIONS_CACHE_URL"},
		"s3": {
			"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY", "session_token": "AWS_SESSION_TOKEN",
			"region": "AWS_REGION",
		},
	}[entry.Type]
	for _, key := range slices.Sorted(maps.Keys(variables)) {
		if entry.Attrs[key] == "" && e.Getenv != nil && e.Getenv(variables[key]) != "" {
			entry.Attrs[key] = e.Getenv(variables[key])
		}
	}
	if entry.Type != "gha" {
		return true
	}
	if entry.Attrs["token"] == "" || entry.Attrs["url_v2"] == "" && entry.Attrs["url"] == "" {
		e.Container.say("warning: the cache of type gha is left out: it needs %s and %s, which GitHub gives to JavaScript actions "+
			"and to no run step, and so to no composite action. Use type=registry, or --cache", actionsToken, actionsURL)
		return false
	}
	if entry.Attrs["url_v2"] != "" {
		entry.Attrs["version"] = "2"
	}
	return true
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
