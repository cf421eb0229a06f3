package doctor

import (
	"context"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/text"
	"github.com/waybill-dev/waybill/workflows"
)

// oldestDatabase is the oldest vulnerability database that scan takes, by the default
// of --db-max-age.
const oldestDatabase = 72 * time.Hour

// supplies looks at what the jobs of deliver.yml need: the vulnerability database, the
// root of the Sigstore that they trust, and Docker where no builder is named.
func (d *doctor) supplies(ctx context.Context) error {
	name := workflowDir + workflows.In(d.Dir, "deliver.yml")
	data, delivers := d.Files[name]
	if !delivers {
		return nil
	}
	documents, err := limit.Documents(name, data)
	var workflow struct{ Env map[string]yaml.Node }
	if err == nil && len(documents) == 1 {
		err = documents[0].Decode(&workflow)
	}
	if err != nil {
		return nil //nolint:nilerr // readWorkflows has said so
	}
	if d.Database != nil {
		for _, repository := range strings.Fields(workflow.Env["DB_REPOSITORY"].Value) {
			d.database(ctx, strings.TrimSuffix(repository, ","))
		}
	}
	if d.Docker != nil && workflow.Env["BUILDERS"].Value == "" {
		d.docker(ctx)
	}
	if d.Root != nil && len(d.config.Signers().Signers) > 0 {
		d.root(workflow.Env["TRUSTED_ROOT"].Value)
	}
	return nil
}

// here is the state of what cannot be reached: this machine says nothing of the jobs.
func (d *doctor) here() State {
	if d.AsRepository {
		return Fail
	}
	return Warn
}

func (d *doctor) database(ctx context.Context, repository string) {
	made, err := d.Database(ctx, repository)
	switch {
	case err != nil:
		d.add(d.here(), "database", "let the jobs reach it, or name a mirror as DB_REPOSITORY in deliver.yml",
			"the vulnerability database %s cannot be read from here, and no image is scanned without one: %v", repository, err)
	case made.IsZero():
		d.add(OK, "database", "", "%s can be read; it does not say when it was made", repository)
	case d.Now.Sub(made) > oldestDatabase:
		d.add(Fail, "database", "copy ghcr.io/aquasecurity/trivy-db:2 there every night",
			"the vulnerability database %s is of %s, and scan takes none that is older than %s", repository, text.Time(made), oldestDatabase)
	default:
		d.add(OK, "database", "", "%s is of %s", repository, text.Time(made))
	}
}

func (d *doctor) root(trusted string) {
	if err := d.Root(trusted); err != nil {
		d.add(d.here(), "trusted root", "let the jobs reach it, or write the JSON of a trusted root as TRUSTED_ROOT into deliver.yml",
			"Sigstore's trusted root cannot be had from here, and no signature is verified without it: %v", err)
		return
	}
	d.add(OK, "trusted root", "", "Sigstore's trusted root can be had")
}

// docker looks at the runner of this job. A Dockerfile that executes nothing is built
// without it, so a runner that has none is weak, and not wrong.
func (d *doctor) docker(ctx context.Context) {
	if err := d.Docker(ctx); err != nil {
		d.add(Warn, "docker", "take a runner with Docker, or name builders as BUILDERS in deliver.yml",
			"this runner has no Docker, so on one like it no Dockerfile with RUN is built: %v", err)
		return
	}
	d.add(OK, "docker", "", "this runner has Docker, in which BuildKit runs")
}
