package config

import (
	"regexp"
	"strings"
)

// Images says which images may be deployed that are no application's, and where
// manifests name images.
type Images struct {
	Allow  []string // globs of repositories
	Fields []string // KIND:PATH of fields that hold images
	Ignore []string // and of those that do not, although they are called so
}

type imagesPolicy struct {
	Allow  []string `yaml:"allow"`
	Fields []string `yaml:"fields"`
	Ignore []string `yaml:"ignore"`
}

func (p imagesPolicy) overriddenBy(o imagesPolicy) imagesPolicy {
	overrideList(&p.Allow, o.Allow)
	overrideList(&p.Fields, o.Fields)
	overrideList(&p.Ignore, o.Ignore)
	return p
}

// Images is what holds in env; in an unknown one, what is common to all.
func (c *Config) Images(env string) Images {
	images := c.policy.Images
	if e, err := c.Environment(env); err == nil {
		images = images.overriddenBy(e.policy.Images)
	}
	return Images(images)
}

// dockerHub is how go-containerregistry calls the registry docker.io.
const dockerHub = "index.docker.io/"

// Allows reports whether images of the repository may be deployed.
func (i Images) Allows(repository string) bool {
	if rest, ok := strings.CutPrefix(repository, dockerHub); ok {
		repository = "docker.io/" + rest
	}
	for _, pattern := range i.Allow {
		if globRepository(pattern, repository) {
			return true
		}
	}
	return false
}

// globRepository matches a glob that is anchored at both ends. * is any run of
// characters but /, ** any run.
func globRepository(pattern, text string) bool {
	matched, err := regexp.MatchString(`\A`+RepositoryPattern(pattern)+`\z`, text)
	return err == nil && matched
}

// RepositoryPattern is such a glob as a regular expression, without its ends.
func RepositoryPattern(pattern string) string {
	any := strings.Split(pattern, "**")
	for i, part := range any {
		run := strings.Split(part, "*")
		for j := range run {
			run[j] = regexp.QuoteMeta(run[j])
		}
		any[i] = strings.Join(run, `[^/]*`)
	}
	return strings.Join(any, `.*`)
}
