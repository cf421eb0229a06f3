package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Error is a request to a registry that failed after its retries.
type Error struct {
	Host   string
	Path   string // of the repository
	Doing  string
	Status int // HTTP status, 0 when there was no answer
	Cause  error
}

// maxCause bounds what a registry can put into an error.
const maxCause = 600

func (e *Error) Error() string {
	return fmt.Sprintf("registry %s: %s: %s%s", e.Host, e.Doing, tidy(e.Cause.Error()), e.hint())
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) hint() string {
	// A loopback address is tried with TLS and without: both causes are there.
	var wrongCertificate *tls.CertificateVerificationError
	text := e.Cause.Error()
	switch {
	case errors.As(e.Cause, &wrongCertificate):
		return " (its certificate is not trusted here: name its authority in WAYBILL_REGISTRIES as ca, or see that the host is the right one)"
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return " (it speaks HTTP without TLS, which WAYBILL_REGISTRIES has to allow by http: true)"
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return " (not logged in, or with a wrong password: docker login, WAYBILL_REGISTRY_USERNAME and WAYBILL_REGISTRY_PASSWORD, " +
			"DOCKER_AUTH_CONFIG (the secret registry_logins of deliver.yml), or --registry-identity for a registry of AWS, Google or Azure)"
	case e.Status == http.StatusForbidden:
		return " (the login is not allowed to: " + e.right() + ")"
	case e.Status == http.StatusTooManyRequests:
		return " (the registry limits requests: log in, or try again later)"
	case e.missing() != "":
		return " (the repository " + e.Host + "/" + e.Path + " does not exist, and no push makes it: " + e.missing() + ")"
	case e.Status >= http.StatusInternalServerError:
		return " (the registry itself has trouble: try again later)"
	case e.Status != 0:
		return e.unusual(text)
	case isSilence(e.Cause), strings.Contains(text, "timeout awaiting response headers"):
		return " (it does not answer)"
	case passes(e.Cause), strings.Contains(text, "no such host"):
		return " (is the host right, and reachable from here?)"
	}
	return ""
}

// unusual says what an answer means that registries seldom give; empty if it is
// not known.
func (e *Error) unusual(text string) string {
	push := strings.HasPrefix(e.Doing, "push ")
	switch {
	case e.Status < http.StatusBadRequest:
		return " (what answers is no registry, but a login page perhaps: see that the host is the right one)"
	case e.Status == http.StatusRequestEntityTooLarge:
		return " (a proxy in front of the registry limits the size of a request, nginx by client_max_body_size: raise that)"
	case push && strings.Contains(text, "BLOB_UNKNOWN"):
		return " (the registry does not find a layer that it has taken: run the command again, and if that stays, its storage loses writes)"
	case push && (e.Status == http.StatusMethodNotAllowed || strings.Contains(text, "UNSUPPORTED")):
		return " (it takes no pushes there, as a mirror or a proxy cache does: name the registry that it mirrors)"
	case push && e.Status == http.StatusNotFound:
		return " (it has no place for " + e.Path + ": correct the path, or make its project in the registry first)"
	}
	return ""
}

var (
	privateECR = regexp.MustCompile(`^[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)
	googleHost = regexp.MustCompile(`^([a-z0-9-]+)-docker\.pkg\.dev$`)
)

// right says which right the login needs, and where to give it.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
// https://cloud.google.com/artifact-registry/docs/access-control
// https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview
func (e *Error) right() string {
	push := strings.HasPrefix(e.Doing, "push ") || strings.HasPrefix(e.Doing, "tag ")
	of := func(pull, both string) string {
		if push {
			return both
		}
		return pull
	}
	switch {
	case e.Host == "ghcr.io":
		return "the job needs `permissions: packages: " + of("read", "write") + "`, and the package must grant that to this repository: " +
			"its page, Package settings, Manage Actions access; a person's token needs the scope " + of("read", "write") + ":packages, as " +
			"`gh auth refresh --scopes " + of("read", "write") + ":packages` gives it, and docker login with that token"
	case privateECR.MatchString(e.Host):
		return "the role needs " + of("ecr:BatchGetImage and ecr:GetDownloadUrlForLayer",
			"ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:BatchCheckLayerAvailability and ecr:PutImage") +
			" for this repository, in its policy in IAM"
	case googleHost.MatchString(e.Host):
		return "the account needs " + of("roles/artifactregistry.reader", "roles/artifactregistry.writer") + " on the repository, in IAM"
	case strings.HasSuffix(e.Host, ".azurecr.io"):
		return "the identity needs the role " + of("AcrPull", "AcrPush") + " on the registry, in its Access control (IAM)"
	case e.Host == name.DefaultRegistry:
		return "the access token needs " + of("Read", "Read & Write") + ", and its user must have that right in the repository"
	}
	return "its user or robot needs the right to " + of("pull", "push") + ", which the registry's administrator gives in the " +
		"project of " + e.Path
}

// missing is the command that makes the repository, where the registry says that
// there is none and wants it made before a push; otherwise empty.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/docker-push-ecr-image.html
// https://cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling
func (e *Error) missing() string {
	if e.Status != http.StatusNotFound || !strings.Contains(e.Cause.Error(), string(transport.NameUnknownErrorCode)) {
		return ""
	}
	project, rest, _ := strings.Cut(e.Path, "/")
	first, _, _ := strings.Cut(rest, "/")
	switch ecr, google := privateECR.FindStringSubmatch(e.Host), googleHost.FindStringSubmatch(e.Host); {
	case ecr != nil:
		return fmt.Sprintf("aws ecr create-repository --region %s --repository-name %s, or build with --create-repository", ecr[1], e.Path)
	case e.Host == "public.ecr.aws":
		return "aws ecr-public create-repository --region us-east-1 --repository-name " + rest + ", or build with --create-repository"
	case google != nil:
		return fmt.Sprintf("gcloud artifacts repositories create %s --project %s --location %s --repository-format docker",
			first, project, google[1])
	}
	return ""
}

// LacksRepository reports whether a registry answered that it has no such
// repository, and makes none by a push.
func LacksRepository(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.missing() != ""
}

var urls = regexp.MustCompile(`https?://[^\s"'<>]+`)

// tidy takes out of a message what may be a secret, the user and the query of
// URLs, and what would break out of the line.
func tidy(text string) string {
	text = urls.ReplaceAllStringFunc(text, func(s string) string {
		u, err := url.Parse(strings.TrimRight(s, ":,;.)"))
		if err != nil {
			return "URL"
		}
		tail := s[len(strings.TrimRight(s, ":,;.)")):]
		u.User = nil
		if u.RawQuery != "" {
			u.RawQuery = ""
			return u.String() + "?…" + tail
		}
		return u.String() + tail
	})
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
}

func wrap(repository name.Repository, doing string, err error) error {
	// go-containerregistry keeps of its first request's errors the text alone, and
	// has two of them for a loopback address.
	if _, wrong, found := strings.Cut(err.Error(), wrongHosts); found {
		wrong, _, _ = strings.Cut(wrong, `; Get "`)
		return outcome.Usagef("%s%s", wrongHosts, wrong)
	}
	var told toldError
	if errors.As(err, &told) {
		return told
	}
	e := &Error{Host: repository.RegistryStr(), Path: repository.RepositoryStr(), Doing: doing, Cause: err}
	var answer *transport.Error
	if errors.As(err, &answer) {
		e.Status = answer.StatusCode
	}
	return e
}

// Trouble makes an Error of what another library says that works with this
// client's RemoteOptions.
func Trouble(ref imageref.Ref, doing string, err error) error { return wrap(ref.Name(), doing, err) }

// IsNotFound reports whether the registry answered that there is no such thing.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}
